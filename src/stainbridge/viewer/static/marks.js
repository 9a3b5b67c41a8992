/** Numbered points over a view; those of landmarks can be dragged, and moved with the keys. */

import { attempt, element } from "./dom.js";

const KEY_STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Marks {
  constructor(view, slideView, place, isMovingSide) {
    this.view = view;
    this.slideView = slideView;
    this.container = place;
    this.isMovingSide = isMovingSide;
    this.shown = [];
  }

  /** Makes the marks anew. */
  place() {
    const marks = this.view.correct.marks(this.isMovingSide);
    if (this.view.points.point) marks.push({ point: this.view.points.point, label: "", side: "probe" });
    this.shown = marks.map((mark) => ({ mark, node: this.build(mark) }));
    this.container.replaceChildren(...this.shown.map(({ node }) => node));
    this.move();
  }

  build(mark) {
    if (mark.side === "probe" || mark.side === "pending") {
      return element("span", { class: `mark ${mark.side}`, "aria-hidden": "true" }, mark.label);
    }
    const node = element("button", {
      type: "button", class: `mark ${mark.side}`, "aria-label": `Landmark ${mark.label} on the ${mark.side} slide`,
      "data-pair": mark.label, "data-side": mark.side,
    }, mark.label);
    node.addEventListener("pointerdown", (event) => { node.setPointerCapture(event.pointerId); event.stopPropagation(); });
    node.addEventListener("pointermove", (event) => {
      if (!node.hasPointerCapture(event.pointerId)) return;
      mark.point = this.toSlide(event);
      mark.moved = true;
      this.move();
    });
    node.addEventListener("pointerup", () => { if (mark.moved) this.store(mark); });
    node.addEventListener("keydown", (event) => this.moveByKey(event, mark));
    return node;
  }

  moveByKey(event, mark) {
    if (event.key === "Delete" || event.key === "Backspace") {
      event.preventDefault();
      event.stopPropagation();
      attempt(() => this.view.correct.removePair(mark.index));
      return;
    }
    const step = KEY_STEPS[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    const { scale } = this.slideView.placement();
    mark.point = [mark.point[0] + step[0] / scale, mark.point[1] + step[1] / scale];
    this.store(mark);
  }

  store(mark) { attempt(() => this.view.correct.drag(mark.index, mark.side, mark.point)); }

  toSlide(event) {
    const box = this.container.getBoundingClientRect();
    return this.slideView.toSlide(event.clientX - box.left, event.clientY - box.top);
  }

  /** Moves the marks to where their points are now. */
  move() {
    const placement = this.slideView.placement();
    if (!placement) return;
    for (const { mark, node } of this.shown) {
      node.style.left = `${placement.x + mark.point[0] * placement.scale}px`;
      node.style.top = `${placement.y + mark.point[1] * placement.scale}px`;
    }
  }
}

/** A point on one slide, the same point on the other; typed or clicked. */

import { movePoints } from "./api.js";
import { attempt, byId, element } from "./dom.js";

export class PointsPanel {
  constructor(view) {
    this.view = view;
    this.unit = "px";
    this.reset();
  }

  reset() { this.point = null; this.places = {}; }

  /** Marks a point of the fixed slide, and finds it on every other. */
  async mark(point) {
    this.point = point;
    this.places = { fixed: point };
    const caseId = this.view.case.id;
    for (const layer of this.view.layers.slice(1)) {
      [this.places[layer.id]] = await movePoints(caseId, layer.id, [point], "layer");
    }
    this.fill();
    this.view.placeMarks();
  }

  /** Marks a point of a layer's own slide, and goes there. */
  async markOn(layer, own) {
    const [point] = layer.id === "fixed" ? [own] : await movePoints(this.view.case.id, layer.id, [own], "fixed");
    if (!point) throw new Error("That point has no place on the fixed slide.");
    await this.mark(point);
    this.view.leader = this.view.b;
    this.view.b.goTo(...point);
  }

  factor(layer, axis) { return this.unit === "px" ? 1 : layer.scanned.mpp[axis]; }

  fill() {
    for (const layer of this.view.layers) {
      for (const [axis, name] of ["x", "y"].entries()) {
        const input = byId(`point-${layer.id}-${name}`);
        const place = this.places[layer.id];
        if (input) input.value = place ? (place[axis] * this.factor(layer, axis)).toFixed(this.unit === "px" ? 1 : 2) : "";
      }
    }
  }

  build() {
    const unit = element("select", {
      id: "point-unit", "aria-label": "Unit of the coordinates",
      onchange: () => { this.unit = unit.value; this.fill(); },
    }, ...[["px", "pixels"], ["um", "µm"]].map(([value, name]) => element("option", { value, selected: value === this.unit }, name)));
    const rows = this.view.layers.map((layer) => this.buildRow(layer));
    queueMicrotask(() => this.fill());
    return element("details", { open: true, id: "points" }, element("summary", {}, "Point"),
      element("p", { class: "quiet" }, "Click a place, or type its coordinates on either slide and press Enter."),
      unit, ...rows);
  }

  buildRow(layer) {
    const inputs = ["x", "y"].map((name) => element("input", {
      id: `point-${layer.id}-${name}`, type: "number", step: "any", "aria-label": `${name} on ${layer.title}`,
    }));
    const go = () => attempt(() => {
      const own = inputs.map((input, axis) => Number(input.value) / this.factor(layer, axis));
      return this.markOn(layer, own);
    });
    for (const input of inputs) input.addEventListener("keydown", (event) => { if (event.key === "Enter") go(); });
    return element("div", { class: "group" }, element("h2", {}, layer.title),
      element("div", { class: "row" },
        ...inputs.map((input, axis) => element("label", { class: "field" }, ["x", "y"][axis], input)),
        element("button", { type: "button", id: `point-${layer.id}-go`, onclick: go }, "Go")));
  }
}

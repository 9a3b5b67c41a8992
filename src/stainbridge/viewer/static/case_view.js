/** One case: two of its slides, how they are compared, and what is drawn on them. */

import { get } from "./api.js";
import { CaseList } from "./case_list.js";
import { MODES, overlayStyle, viewFilter } from "./compare.js";
import { CorrectPanel } from "./correct_panel.js";
import { attempt, byId, debounce, element, say } from "./dom.js";
import { drawOver } from "./drawing.js";
import { JudgePanel } from "./judge_panel.js";
import { listenForKeys } from "./keys.js";
import { Marks } from "./marks.js";
import { OverlaysPanel } from "./overlays_panel.js";
import { PointsPanel } from "./points_panel.js";
import { drawScale, formatPoint } from "./ruler.js";
import { firstLook, layerControls } from "./settings.js";
import { SlideView } from "./slide_view.js";
import { readHash, writeHash } from "./state.js";

const PAN_SHARE = 0.15;

export class CaseView {
  constructor(session) {
    this.session = session;
    this.case = null;
    this.looks = {};
    this.mode = "fade";
    this.fade = 50;
    this.swipe = 50;
    this.isBefore = false;
    const onError = (line) => say(line, true);
    // B is made first: its frame is drawn before A follows, so that both move in one frame.
    this.b = new SlideView(byId("view-b"), onError);
    this.a = new SlideView(byId("view-a"), onError);
    this.leader = this.b;
    this.cursor = null;
    this.overlays = new OverlaysPanel(this);
    this.points = new PointsPanel(this);
    this.correct = new CorrectPanel(this);
    this.judging = new JudgePanel(this);
    this.marks = [new Marks(this, this.a, byId("marks-a"), false), new Marks(this, this.b, byId("marks-b"), true)];
    this.list = new CaseList(this);
    this.saveHash = debounce(() => this.writeHash(), 200);
    this.link();
    this.buildControls();
  }

  get layers() { return this.case.layers; }
  layer(id) { return this.layers.find((layer) => layer.id === id); }
  get layerA() { return this.layer(this.aId); }
  get layerB() { return this.layer(this.bId); }
  get isSide() { return this.mode === "side"; }
  /** Whether a registration moved one of the two slides that are looked at. */
  get isMoved() { return [this.layerA, this.layerB].some((layer) => layer.id !== "fixed" && layer.is_aligned); }
  /** The layer whose transform is looked at and corrected. */
  get movingLayer() {
    const chosen = this.layer(this.bId);
    if (chosen && !["fixed", "candidate"].includes(chosen.id)) return chosen;
    return this.layers.find((layer) => layer.id.startsWith("moving"));
  }

  /** Opens a case, at the view that `wanted` names. */
  async open(caseId, wanted = {}) {
    const opened = await get(`/api/cases/${caseId}`);
    if (this.case?.id !== opened.id) {
      this.isBefore = false;
      for (const part of [this.overlays, this.points, this.correct]) part.reset();
    }
    this.case = opened;
    for (const layer of this.layers) this.looks[`${caseId}/${layer.id}`] ??= firstLook(layer);
    const first = this.layers.at(-1).id;
    this.aId = this.layer(wanted.a) ? wanted.a : "fixed";
    this.bId = this.layer(wanted.b) ? wanted.b : first;
    this.fade = wanted.fade ?? this.fade;
    this.swipe = wanted.swipe ?? this.swipe;
    this.mode = MODES.some((mode) => mode.id === wanted.mode) ? wanted.mode : this.mode;
    this.refresh();
    const place = () => {
      if (wanted.x !== undefined) this.b.goTo(wanted.x, wanted.y ?? 0, wanted.zoom, true);
      else this.b.home(true);
      this.a.whenOpen(() => this.a.follow(this.b));
    };
    this.b.whenOpen(place);
    this.rebuildPanel();
    await this.correct.load();
  }

  /** Opens a case and leaves the list; says why where it cannot. */
  openSafely(caseId) {
    return attempt(async () => {
      await this.open(caseId);
      this.list.toggle(false);
    });
  }

  /** Asks for the case again after its layers changed; the view stays. */
  async reload(second) {
    const { x, y, scale } = this.b.centre();
    const kind = this.overlays.mapKind;
    await this.open(this.case.id, { a: this.aId === "candidate" ? "fixed" : this.aId, b: second, mode: this.mode, x, y, zoom: scale });
    if (kind) await this.overlays.setMap(kind);
    if (this.overlays.grid) await this.overlays.setGrid(true);
  }

  chooseA(id) { this.aId = id; this.refresh(); this.rebuildPanel(); }

  chooseB(id) { this.bId = id; this.refresh(); this.rebuildPanel(); this.placeMarks(); }

  goTo(point) { this.leader = this.b; this.b.goTo(...point); }

  look(layer) { return this.looks[`${this.case.id}/${layer.id}`]; }

  /** Makes each view show what the other shows. */
  link() {
    for (const view of [this.a, this.b]) {
      const other = view === this.a ? this.b : this.a;
      for (const kind of ["pointerenter", "pointerdown", "wheel"]) {
        view.place.addEventListener(kind, () => { this.leader = view; }, { passive: true, capture: true });
      }
      view.viewer.addHandler("update-viewport", () => {
        if (this.leader !== view || !other.viewer.isOpen() || !view.viewer.isOpen()) return;
        other.follow(view);
        this.draw();
        this.saveHash();
      });
      view.place.addEventListener("pointermove", (event) => this.showPosition(view, event));
      view.place.addEventListener("pointerleave", () => { this.cursor = null; this.draw(); });
      view.viewer.addHandler("canvas-click", (event) => {
        if (!event.quick) return;
        const point = view.toSlide(event.position.x, event.position.y);
        if (point) attempt(() => (this.correct.active ? this.correct.click(point, view === this.b) : this.points.mark(point)));
      });
    }
  }

  buildControls() {
    byId("modes").replaceChildren(...MODES.map((mode) => element("button", {
      type: "button", role: "radio", id: `mode-${mode.id}`, "aria-checked": "false",
      title: `${mode.name} (${mode.key})`, onclick: () => this.setMode(mode.id),
    }, mode.name)));
    byId("fade").addEventListener("input", () => this.setFade(Number(byId("fade").value)));
    byId("home").addEventListener("click", () => this.b.home());
    byId("before").addEventListener("click", () => this.setBefore(!this.isBefore));
    byId("share").addEventListener("click", () => attempt(() => this.share()));
    byId("panel-toggle").addEventListener("click", () => this.togglePanel());
    this.listenToSwipe();
    listenForKeys(this.keyTable());
    window.addEventListener("hashchange", () => {
      const wanted = readHash();
      attempt(() => this.open(wanted.case ?? this.case.id, wanted));
    });
  }

  keyTable() {
    const pan = (x, y) => () => this.panBy(x, y);
    return [
      ...MODES.map((mode) => ({ keys: [mode.key], words: mode.name, run: () => this.setMode(mode.id) })),
      { keys: [" "], words: "Flicker: show the other slide", run: () => this.flicker() },
      { keys: ["b"], words: "Before alignment, or after", run: () => this.setBefore(!this.isBefore) },
      { keys: ["[", "]"], words: "Fade to the first or the second slide",
        run: (event) => this.setFade(this.fade + (event.key === "[" ? -10 : 10)) },
      { keys: ["ArrowLeft"], words: "Move left", run: pan(-1, 0) },
      { keys: ["ArrowRight"], words: "Move right", run: pan(1, 0) },
      { keys: ["ArrowUp"], words: "Move up", run: pan(0, -1) },
      { keys: ["ArrowDown"], words: "Move down", run: pan(0, 1) },
      { keys: ["+", "="], words: "Closer", run: () => this.zoomBy(1.5) },
      { keys: ["-"], words: "Further away", run: () => this.zoomBy(1 / 1.5) },
      { keys: ["0"], words: "Whole slide", run: () => this.b.home() },
      { keys: ["l"], words: "Place landmark pairs, or stop", run: () => { this.showPanel(true); this.correct.setActive(!this.correct.active); } },
      { keys: ["u"], words: "Undo the last landmark", run: () => attempt(() => this.correct.undo()) },
      { keys: ["g"], words: "Deformation grid", run: () => attempt(() => this.overlays.setGrid(!this.overlays.grid)) },
      { keys: ["y"], words: "Accept the case", run: () => attempt(() => this.judging.judge("accepted")) },
      { keys: ["n"], words: "Reject the case", run: () => attempt(() => this.judging.judge("rejected")) },
      { keys: ["j"], words: "Next case", run: () => this.list.step(1) },
      { keys: ["k"], words: "Case before", run: () => this.list.step(-1) },
      { keys: ["c"], words: "List of cases", run: () => this.list.toggle() },
      { keys: ["t"], words: "Show or hide the tools", run: () => this.togglePanel() },
      { keys: ["?"], words: "These keys", run: () => byId("help").showModal() },
    ];
  }

  panBy(x, y) {
    this.leader = this.b;
    const viewport = this.b.viewer.viewport;
    const size = viewport.getBounds();
    viewport.panBy(new OpenSeadragon.Point(x * size.width * PAN_SHARE, y * size.height * PAN_SHARE));
    viewport.applyConstraints();
  }

  zoomBy(factor) {
    this.leader = this.b;
    this.b.viewer.viewport.zoomBy(factor);
    this.b.viewer.viewport.applyConstraints();
  }

  setMode(mode) {
    this.mode = mode;
    this.refresh();
  }

  setFade(fade) {
    this.fade = Math.min(100, Math.max(0, fade));
    if (!["fade", "checker"].includes(this.mode)) this.mode = "fade";
    this.refresh();
  }

  /** Shows one slide alone, then the other. */
  flicker() {
    if (this.mode !== "fade") this.mode = "fade";
    this.fade = this.fade > 50 ? 0 : 100;
    this.refresh();
  }

  /** Shows the slides as they lay before alignment, or aligned. */
  setBefore(isBefore) {
    this.isBefore = isBefore && this.isMoved;
    if (this.isBefore) this.correct.setActive(false);
    this.refresh();
  }

  listenToSwipe() {
    const handle = byId("swipe");
    const moveTo = (share) => {
      this.swipe = Math.min(100, Math.max(0, share));
      this.refresh();
    };
    handle.addEventListener("pointerdown", (event) => handle.setPointerCapture(event.pointerId));
    handle.addEventListener("pointermove", (event) => {
      if (!handle.hasPointerCapture(event.pointerId)) return;
      const box = byId("stage").getBoundingClientRect();
      moveTo((100 * (event.clientX - box.left)) / box.width);
    });
    handle.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -2, ArrowRight: 2, ArrowDown: -2, ArrowUp: 2, Home: -100, End: 100 }[event.key];
      if (step === undefined) return;
      event.preventDefault();
      moveTo(this.swipe + step);
    });
  }

  togglePanel() { this.showPanel(byId("panel").hidden); }

  showPanel(shown) {
    byId("panel").hidden = !shown;
    byId("panel-toggle").setAttribute("aria-expanded", String(shown));
    this.rebuildPanel();
    this.resize();
  }

  /** Builds the panel anew; sections that were closed stay closed. */
  rebuildPanel() {
    const panel = byId("panel");
    if (panel.hidden || !this.case) return;
    const closed = [...panel.querySelectorAll("details:not([open])")].map((details) => details.id);
    const focused = document.activeElement?.id;
    const scrolled = panel.scrollTop;
    const parts = [this.buildSlides(), this.points.build(), this.overlays.build()];
    if (this.movingLayer) parts.push(this.correct.build());
    if (this.session.can_review) parts.push(this.judging.build());
    panel.replaceChildren(...parts);
    for (const id of closed) if (byId(id)) byId(id).open = false;
    panel.scrollTop = scrolled;
    if (focused) byId(focused)?.focus();
  }

  buildSlides() {
    const changed = (what) => (what === "tiles" ? this.refreshTiles() : this.refresh());
    const choice = (id, words, chosen, run) => {
      const select = element("select", { id, onchange: () => run(select.value) },
        ...this.layers.map((layer) => element("option", { value: layer.id, selected: layer.id === chosen },
          layer.id === "candidate" ? `${layer.title} (new)` : layer.title)));
      return element("label", { class: "field" }, words, select);
    };
    return element("details", { open: true, id: "slides" }, element("summary", {}, "Slides"),
      choice("choose-a", "First", this.aId, (id) => this.chooseA(id)),
      choice("choose-b", "Second", this.bId, (id) => this.chooseB(id)),
      ...this.layers.map((layer) => layerControls(layer, this.look(layer), changed)));
  }

  /** Shows everything as the state says. */
  refresh() {
    const stage = byId("stage");
    const wasSide = stage.classList.contains("side");
    stage.classList.toggle("side", this.isSide);
    stage.classList.toggle("stacked", !this.isSide);
    Object.assign(this.b.place.style, overlayStyle(this.mode, this.fade, this.swipe));
    if (!this.case) return;
    this.a.place.style.filter = viewFilter(this.look(this.layerA), this.mode, "magenta");
    this.b.place.style.filter = viewFilter(this.look(this.layerB), this.mode, "green");
    byId("swipe").hidden = this.mode !== "swipe";
    byId("swipe").style.left = `${this.swipe}%`;
    byId("swipe").setAttribute("aria-valuenow", String(Math.round(this.swipe)));
    byId("fade").value = String(this.fade);
    for (const mode of MODES) byId(`mode-${mode.id}`).setAttribute("aria-checked", String(mode.id === this.mode));
    this.refreshWords();
    this.refreshTiles();
    if (wasSide !== this.isSide) this.resize();
    this.placeMarks();
    this.draw();
    this.saveHash();
  }

  /** Lets both views measure their elements anew, about the same centre. */
  resize() {
    const before = this.b.plane && this.b.viewer.isOpen() ? this.b.centre() : null;
    requestAnimationFrame(() => {
      for (const view of [this.a, this.b]) view.viewer.forceResize();
      this.leader = this.b;
      if (before) this.b.goTo(before.x, before.y, before.scale, true);
      this.a.whenOpen(() => this.a.follow(this.b));
      this.draw();
    });
  }

  refreshWords() {
    const [a, b] = [this.layerA, this.layerB];
    byId("title").textContent = this.case.title;
    byId("caption-a").textContent = this.caption(a);
    byId("caption-b").textContent = this.caption(b);
    byId("before").hidden = !this.isMoved;
    byId("before").setAttribute("aria-pressed", String(this.isBefore));
    byId("caption-b").hidden = a === b;
    byId("fade-a").textContent = a.stain ?? a.title;
    byId("fade-b").textContent = b.stain ?? b.title;
    const status = byId("status");
    status.hidden = false;
    status.textContent = b.status ?? (b.id === "fixed" ? "one slide" : "not registered");
    status.className = `badge ${b.status ?? "slides"}`;
    status.title = b.reason || (b.predicted_um ? `expected error ${b.predicted_um.toFixed(1)} µm` : "");
  }

  caption(layer) {
    const name = layer.stain ? `${layer.title} · ${layer.stain}` : layer.title;
    return this.isBefore && layer.id !== "fixed" ? `Before alignment · ${name}` : name;
  }

  refreshTiles() {
    for (const [view, layer] of [[this.a, this.layerA], [this.b, this.layerB]]) {
      view.show(this.case.id, this.case.version, layer, this.look(layer), !this.isBefore);
    }
    const isLight = this.layerA.is_rgb;
    byId("stage").classList.toggle("white", isLight);
    byId("stage").classList.toggle("black", !isLight);
  }

  /** Draws what lies over the slides. */
  draw() {
    const placement = this.b.placement();
    if (!placement || !this.case) return;
    drawScale(placement.scale, this.layerA.aligned.mpp[0], this.layerA.calibrated);
    // What is drawn lies where the slides are aligned.
    const { map, grid, shapes } = this.isBefore ? { shapes: [] } : this.overlays;
    const layers = { map, grid, shapes };
    const errors = this.isBefore ? [] : this.correct.errorLines;
    const cursorOn = (view) => (this.isSide && this.cursor?.view !== view ? this.cursor?.point : null);
    drawOver(byId("draw-a"), this.a, { ...layers, errors, cursor: cursorOn(this.a) });
    if (this.isSide) drawOver(byId("draw-b"), this.b, { ...layers, errors, cursor: cursorOn(this.b) });
    for (const marks of this.marks) marks.move();
  }

  placeMarks() {
    for (const marks of this.marks) {
      marks.container.hidden = this.isBefore;
      marks.place();
    }
  }

  showPosition(view, event) {
    const box = view.place.getBoundingClientRect();
    const point = view.toSlide(event.clientX - box.left, event.clientY - box.top);
    if (!point || !this.case) return;
    byId("position").textContent = formatPoint(point, this.layerA.aligned.mpp, this.layerA.calibrated);
    this.cursor = { view, point };
    if (this.isSide) this.draw();
  }

  async share() {
    this.writeHash();
    const { path } = await get("/api/link");
    await navigator.clipboard.writeText(`${location.origin}${path}${location.hash}`);
    say("The link is in the clipboard. Who has it can look, and correct, while the viewer runs.");
  }

  writeHash() {
    if (!this.b.viewer.isOpen()) return;
    const { x, y, scale } = this.b.centre();
    writeHash({
      case: this.case.id, mode: this.mode, fade: this.fade, swipe: Math.round(this.swipe),
      a: this.aId, b: this.bId, x: x.toFixed(1), y: y.toFixed(1), zoom: scale.toPrecision(5),
    });
  }
}

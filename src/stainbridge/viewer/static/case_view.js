/** One case: two of its slides, how they are compared, and what is drawn on them. */

import { get } from "./api.js";
import { MODES, overlayStyle, viewFilter } from "./compare.js";
import { attempt, byId, debounce, element, say } from "./dom.js";
import { listenForKeys } from "./keys.js";
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
    const onError = (line) => say(line, true);
    // B is made first: its frame is drawn before A follows, so that both move in one frame.
    this.b = new SlideView(byId("view-b"), onError);
    this.a = new SlideView(byId("view-a"), onError);
    this.leader = this.b;
    this.saveHash = debounce(() => this.writeHash(), 200);
    this.link();
    this.buildControls();
  }

  get layers() { return this.case.layers; }
  layer(id) { return this.layers.find((layer) => layer.id === id); }
  get layerA() { return this.layer(this.aId); }
  get layerB() { return this.layer(this.bId); }
  get isSide() { return this.mode === "side"; }

  /** Opens a case, at the view that `wanted` names. */
  async open(caseId, wanted = {}) {
    this.case = await get(`/api/cases/${caseId}`);
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
  }

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
    }
  }

  buildControls() {
    byId("modes").replaceChildren(...MODES.map((mode) => element("button", {
      type: "button", role: "radio", id: `mode-${mode.id}`, "aria-checked": "false",
      title: `${mode.name} (${mode.key})`, onclick: () => this.setMode(mode.id),
    }, mode.name)));
    byId("fade").addEventListener("input", () => this.setFade(Number(byId("fade").value)));
    byId("home").addEventListener("click", () => this.b.home());
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
      { keys: ["[", "]"], words: "Fade to the first or the second slide",
        run: (event) => this.setFade(this.fade + (event.key === "[" ? -10 : 10)) },
      { keys: ["ArrowLeft"], words: "Move left", run: pan(-1, 0) },
      { keys: ["ArrowRight"], words: "Move right", run: pan(1, 0) },
      { keys: ["ArrowUp"], words: "Move up", run: pan(0, -1) },
      { keys: ["ArrowDown"], words: "Move down", run: pan(0, 1) },
      { keys: ["+", "="], words: "Closer", run: () => this.zoomBy(1.5) },
      { keys: ["-"], words: "Further away", run: () => this.zoomBy(1 / 1.5) },
      { keys: ["0"], words: "Whole slide", run: () => this.b.home() },
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

  togglePanel() {
    const panel = byId("panel");
    panel.hidden = !panel.hidden;
    byId("panel-toggle").setAttribute("aria-expanded", String(!panel.hidden));
    if (!panel.hidden) this.buildPanel();
  }

  buildPanel() {
    const changed = (what) => (what === "tiles" ? this.refreshTiles() : this.refresh());
    byId("panel").replaceChildren(element("details", { open: true },
      element("summary", {}, "Slides"),
      ...this.layers.map((layer) => layerControls(layer, this.look(layer), changed))));
  }

  /** Shows everything as the state says. */
  refresh() {
    const stage = byId("stage");
    const wasSide = stage.classList.contains("side");
    stage.classList.toggle("side", this.isSide);
    stage.classList.toggle("stacked", !this.isSide);
    Object.assign(this.b.place.style, overlayStyle(this.mode, this.fade, this.swipe));
    this.a.place.style.filter = viewFilter(this.look(this.layerA), this.mode);
    this.b.place.style.filter = viewFilter(this.look(this.layerB), this.mode);
    byId("swipe").hidden = this.mode !== "swipe";
    byId("swipe").style.left = `${this.swipe}%`;
    byId("swipe").setAttribute("aria-valuenow", String(Math.round(this.swipe)));
    byId("fade").value = String(this.fade);
    for (const mode of MODES) byId(`mode-${mode.id}`).setAttribute("aria-checked", String(mode.id === this.mode));
    this.refreshWords();
    this.refreshTiles();
    if (wasSide !== this.isSide) this.resize();
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
    byId("caption-a").textContent = name(a);
    byId("caption-b").textContent = name(b);
    byId("caption-b").hidden = a === b;
    byId("fade-a").textContent = a.stain ?? a.title;
    byId("fade-b").textContent = b.stain ?? b.title;
    const status = byId("status");
    status.hidden = false;
    status.textContent = b.status ?? (b.id === "fixed" ? "one slide" : "not registered");
    status.className = `badge ${b.status ?? "slides"}`;
    status.title = b.reason || (b.predicted_um ? `expected error ${b.predicted_um.toFixed(1)} µm` : "");
  }

  refreshTiles() {
    this.a.show(this.case.id, this.case.version, this.layerA, this.look(this.layerA));
    this.b.show(this.case.id, this.case.version, this.layerB, this.look(this.layerB));
    const isLight = this.layerA.is_rgb;
    byId("stage").classList.toggle("white", isLight);
    byId("stage").classList.toggle("black", !isLight);
  }

  draw() {
    const placement = this.b.placement();
    if (placement) drawScale(placement.scale, this.layerA.aligned.mpp[0], this.layerA.calibrated);
  }

  showPosition(view, event) {
    const box = view.place.getBoundingClientRect();
    const point = view.toSlide(event.clientX - box.left, event.clientY - box.top);
    if (point) byId("position").textContent = formatPoint(point, this.layerA.aligned.mpp, this.layerA.calibrated);
  }

  async share() {
    this.writeHash();
    await navigator.clipboard.writeText(location.href);
    say("A link to this view is in the clipboard.");
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

function name(layer) {
  return layer.stain ? `${layer.title} · ${layer.stain}` : layer.title;
}

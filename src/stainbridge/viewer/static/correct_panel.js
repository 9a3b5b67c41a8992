/** Landmark pairs placed by hand, their errors, and the registration from them. */

import { get, layerPath, movePoints, post, put, remove } from "./api.js";
import { attempt, byId, element, say } from "./dom.js";

const POLL_MS = 400;

export class CorrectPanel {
  constructor(view) {
    this.view = view;
    this.reset();
  }

  reset() {
    this.active = false;
    this.reply = { pairs: [], can_save: false, can_register: false };
    this.history = [];
    this.pending = null;
    this.selected = null;
    this.trial = { state: "none" };
    this.preset = "default";
    clearTimeout(this.polling);
  }

  get layer() { return this.view.movingLayer; }
  get path() { return layerPath(this.view.case.id, this.layer.id); }
  get pairs() { return this.reply.pairs; }

  async load() {
    if (!this.layer) return;
    this.reply = await get(`${this.path}/landmarks`);
    this.trial = await get(`/api/cases/${this.view.case.id}/trial`);
    if (this.trial.state === "running") this.poll();
    this.changed();
  }

  changed() {
    this.view.rebuildPanel();
    this.view.placeMarks();
    this.view.draw();
  }

  setActive(active) {
    this.active = active;
    this.pending = null;
    if (active) this.view.setBefore(false);
    if (active && !this.view.isSide) this.view.setMode("side");
    this.changed();
  }

  async store(pairs, remember = true) {
    if (remember) this.history.push(this.pairs.map(({ fixed, moving }) => ({ fixed, moving })));
    this.reply = await put(`${this.path}/landmarks`, { pairs: pairs.map(({ fixed, moving }) => ({ fixed, moving })) });
    this.changed();
  }

  async undo() {
    if (this.pending) {
      this.pending = null;
      this.changed();
    } else if (this.history.length) {
      await this.store(this.history.pop(), false);
    }
  }

  /** Places the next point: first on the fixed slide, then the same tissue on the moving one. */
  async click(point, isMovingSide) {
    if (!this.pending) {
      if (this.view.isSide && isMovingSide) return say("Begin on the fixed slide, on the left.");
      this.pending = { fixed: point };
      this.changed();
      return undefined;
    }
    if (this.view.isSide && !isMovingSide) {
      this.pending = { fixed: point };
      this.changed();
      return undefined;
    }
    const [moving] = await movePoints(this.view.case.id, this.layer.id, [point], "layer");
    if (!moving) throw new Error("That place is not on the moving slide.");
    const fixed = this.pending.fixed;
    this.pending = null;
    return this.store([...this.pairs, { fixed, moving }]);
  }

  /** Moves one point of a pair; `point` is in pixels of the fixed slide's plane. */
  async drag(index, side, point) {
    const pairs = this.pairs.map(({ fixed, moving }) => ({ fixed, moving }));
    if (side === "fixed") pairs[index].fixed = point;
    else {
      const [moving] = await movePoints(this.view.case.id, this.layer.id, [point], "layer");
      if (!moving) throw new Error("That place is not on the moving slide.");
      pairs[index].moving = moving;
    }
    return this.store(pairs);
  }

  removePair(index) { return this.store(this.pairs.filter((_, n) => n !== index)); }

  async save() {
    const { files } = await post(`${this.path}/landmarks/save`);
    say(`Saved in the result: ${files.join(", ")}`);
  }

  async register() {
    this.trial = await post(`${this.path}/trial`, { preset: this.preset });
    this.poll();
    this.changed();
  }

  poll() {
    clearTimeout(this.polling);
    this.polling = setTimeout(() => attempt(async () => {
      this.trial = await get(`/api/cases/${this.view.case.id}/trial`);
      if (this.trial.state === "running") {
        const bar = byId("trial-progress");
        if (bar) { bar.value = this.trial.fraction; byId("trial-stage").textContent = this.trial.stage; }
        this.poll();
      } else if (this.trial.state === "done") {
        say("The new result is there: compare it with the old one, then keep either.");
        await this.view.reload("candidate");
      } else {
        if (this.trial.reason) say(this.trial.reason, true);
        this.changed();
      }
    }), POLL_MS);
  }

  async keep() {
    this.trial = await post(`${this.path}/trial/keep`);
    this.history = [];
    await this.view.reload(this.layer.id);
    say("The new result is kept; the old one is in its folder replaced/.");
  }

  async drop() {
    this.trial = await remove(`/api/cases/${this.view.case.id}/trial`);
    await this.view.reload(this.layer.id);
  }

  /** Returns the marks of a view: { point, label, side, index }. */
  marks(isMovingSide) {
    if (!this.active && !this.pairs.length) return [];
    const both = !this.view.isSide;
    const marks = [];
    this.pairs.forEach((pair, index) => {
      const label = String(index + 1);
      if (both || !isMovingSide) marks.push({ point: pair.fixed, label, side: "fixed", index });
      if ((both || isMovingSide) && pair.on_fixed) marks.push({ point: pair.on_fixed, label, side: "moving", index });
    });
    if (this.pending) marks.push({ point: this.pending.fixed, label: String(this.pairs.length + 1), side: "pending" });
    return marks;
  }

  get errorLines() {
    return this.pairs.filter((pair) => pair.on_fixed).map((pair) => [pair.fixed, pair.on_fixed]);
  }

  build() {
    const button = (id, words, run, more = {}) => element("button", { type: "button", id, onclick: () => attempt(run), ...more }, words);
    const parts = [
      element("summary", {}, "Correct"),
      element("p", { class: "quiet" }, this.hint()),
      element("div", { class: "row" },
        button("place-pairs", this.active ? "Stop placing" : "Place pairs (L)", () => this.setActive(!this.active), { "aria-pressed": String(this.active) }),
        button("undo", "Undo (U)", () => this.undo(), { disabled: !this.history.length && !this.pending })),
      this.buildTable(),
    ];
    if (this.pairs.length) parts.push(this.buildFiles(button));
    if (this.reply.can_register) parts.push(...this.buildTrial(button));
    return element("details", { open: true, id: "correct" }, ...parts);
  }

  hint() {
    if (!this.active) return "Where the slides do not agree, place pairs of points and register anew from them.";
    return this.pending ? "Now click the same tissue on the moving slide." : "Click a place on the fixed slide. Drag points to mend them.";
  }

  buildTable() {
    if (!this.pairs.length) return null;
    const unit = this.view.layers[0].calibrated ? "µm" : "px";
    const hasNew = this.pairs.some((pair) => pair.candidate_um !== null);
    const number = (value) => (value === null ? "–" : value.toFixed(1));
    const rows = this.pairs.map((pair, index) => element("tr", {},
      element("td", {}, element("button", {
        type: "button", "aria-label": `Go to pair ${index + 1}`, onclick: () => this.view.goTo(pair.fixed),
      }, String(index + 1))),
      element("td", {}, number(pair.error_um)), hasNew ? element("td", {}, number(pair.candidate_um)) : null,
      element("td", {}, element("button", {
        type: "button", "aria-label": `Remove pair ${index + 1}`, onclick: () => attempt(() => this.removePair(index)),
      }, "×"))));
    const median = element("tr", {}, element("th", { scope: "row" }, "median"),
      element("td", {}, number(this.reply.median_um)), hasNew ? element("td", {}, number(this.reply.candidate_median_um)) : null, element("td"));
    return element("table", { id: "pairs" },
      element("thead", {}, element("tr", {}, element("th", {}, "Pair"), element("th", {}, `Error, ${unit}`),
        hasNew ? element("th", {}, `New, ${unit}`) : null, element("td"))),
      element("tbody", {}, ...rows, median));
  }

  buildFiles(button) {
    const link = (side, kind) => element("a", { href: `${this.path}/landmarks/${side}.${kind}`, download: `${side}.${kind}` }, `${side}.${kind}`);
    return element("div", { class: "row" },
      this.reply.can_save ? button("save-pairs", "Save in the result", () => this.save()) : null,
      ...["fixed", "moving"].flatMap((side) => ["csv", "geojson"].map((kind) => link(side, kind))));
  }

  buildTrial(button) {
    if (this.trial.state === "running") {
      return [element("progress", { id: "trial-progress", max: 1, value: this.trial.fraction, "aria-label": "Progress of the registration" }),
        element("div", { class: "row" }, element("span", { id: "trial-stage", class: "quiet" }, this.trial.stage), button("trial-stop", "Stop", () => this.drop()))];
    }
    const parts = [];
    if (this.trial.state === "done") {
      const candidate = this.view.layer("candidate");
      parts.push(element("div", { class: "group" },
        element("p", {}, candidate ? `New result: ${candidate.status}${candidate.reason ? `, ${candidate.reason}` : ""}` : "New result"),
        element("div", { class: "row" },
          button("show-old", "Old", () => this.view.chooseB(this.layer.id), { "aria-pressed": String(this.view.bId === this.layer.id) }),
          button("show-new", "New", () => this.view.chooseB("candidate"), { "aria-pressed": String(this.view.bId === "candidate") }),
          this.reply.can_save && candidate?.is_aligned ? button("keep-new", "Keep the new", () => this.keep(), { class: "primary" }) : null,
          button("keep-old", "Keep the old", () => this.drop()))));
    }
    const preset = element("select", { id: "preset", "aria-label": "How much work to do", onchange: () => { this.preset = preset.value; } },
      ...["fast", "default", "accurate"].map((name) => element("option", { value: name, selected: name === this.preset }, name)));
    parts.push(element("div", { class: "row" }, preset,
      button("register", "Register from these", () => this.register(), { class: "primary", disabled: this.pairs.length < 2 })));
    if (this.pairs.length < 2) parts.push(element("p", { class: "quiet" }, "Two pairs or more are needed."));
    return parts;
  }
}

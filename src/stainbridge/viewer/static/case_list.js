/** A cohort as a list: the worst first, with filters. */

import { byId, element } from "./dom.js";

const FILTERS = [
  ["all", "All"], ["open", "Open"], ["accepted", "Accepted"], ["rejected", "Rejected"],
  ["ok", "ok"], ["fallback", "fallback"], ["failed", "failed"],
];
const RANK = { failed: 0, fallback: 1, ok: 2, slides: 3 };

/** Returns cases with the worst first: failed ones, then by their expected error. */
export function sortWorstFirst(cases) {
  return [...cases].sort((a, b) => {
    const failed = Number(b.status === "failed") - Number(a.status === "failed");
    if (failed) return failed;
    return (b.predicted_rtre ?? -1) - (a.predicted_rtre ?? -1) || (RANK[a.status] ?? 9) - (RANK[b.status] ?? 9) || a.title.localeCompare(b.title);
  });
}

export class CaseList {
  constructor(view) {
    this.view = view;
    this.filter = "all";
    byId("to-list").hidden = view.session.cases.length < 2;
    byId("to-list").addEventListener("click", () => this.toggle());
  }

  get cases() {
    const fits = {
      all: () => true,
      open: (entry) => !entry.review.verdict,
      accepted: (entry) => entry.review.verdict === "accepted",
      rejected: (entry) => entry.review.verdict === "rejected",
    }[this.filter] ?? ((entry) => entry.status === this.filter);
    return sortWorstFirst(this.view.session.cases).filter(fits);
  }

  get isShown() { return !byId("list").hidden; }

  toggle(shown = !this.isShown) {
    if (this.view.session.cases.length < 2) return;
    byId("list").hidden = !shown;
    byId("stage").hidden = shown;
    byId("modes").hidden = shown;
    byId("footer").hidden = shown;
    byId("panel-toggle").hidden = shown;
    byId("status").hidden = shown;
    byId("to-list").setAttribute("aria-pressed", String(shown));
    if (shown) { byId("panel").hidden = true; byId("title").textContent = this.view.session.title; this.refresh(); }
    else if (this.view.case) { this.view.refresh(); this.view.resize(); }
  }

  async choose(entry) {
    await this.view.open(entry.id);
    this.toggle(false);
  }

  /** Opens the next case of the list, or the one before. */
  step(direction) {
    const cases = this.cases;
    const index = cases.findIndex((entry) => entry.id === this.view.case?.id);
    const next = cases[index + direction] ?? (index === -1 ? cases[0] : null);
    if (next) this.view.openSafely(next.id);
  }

  refresh() {
    if (!this.isShown) return;
    const all = this.view.session.cases;
    const judged = all.filter((entry) => entry.review.verdict).length;
    const filters = element("div", { class: "filters", role: "group", "aria-label": "Filter" },
      ...FILTERS.map(([id, name]) => element("button", {
        type: "button", id: `filter-${id}`, "aria-pressed": String(id === this.filter),
        onclick: () => { this.filter = id; this.refresh(); },
      }, name)),
      element("span", { class: "quiet count" }, `${judged} of ${all.length} judged`));
    const cards = element("ul", { class: "cards" }, ...this.cases.map((entry) => element("li", {}, this.buildCard(entry))));
    byId("list").replaceChildren(filters, cards);
  }

  buildCard(entry) {
    const error = entry.predicted_um ? `${entry.predicted_um.toFixed(1)} µm expected`
      : entry.predicted_rtre ? `${(100 * entry.predicted_rtre).toFixed(2)} % expected` : entry.reason;
    const picture = element("img", { src: `/api/cases/${entry.id}/thumbnail`, alt: "", loading: "lazy", width: 320, height: 240 });
    picture.addEventListener("error", () => picture.replaceWith(element("span", { class: "blank" })));
    return element("button", {
      type: "button", class: `card${entry.id === this.view.case?.id ? " current" : ""}`, onclick: () => this.view.openSafely(entry.id),
    }, picture, element("div", {}, element("b", {}, entry.title),
      element("span", { class: "facts" }, element("span", { class: `badge ${entry.status}` }, entry.status),
        entry.review.verdict ? element("span", { class: `verdict ${entry.review.verdict}` }, entry.review.verdict) : null),
      element("span", { class: "facts" }, error ?? "")));
  }
}

/** Accepting, rejecting and noting a case. */

import { put } from "./api.js";
import { attempt, debounce, element, say } from "./dom.js";

export class JudgePanel {
  constructor(view) {
    this.view = view;
    this.saveNote = debounce((note) => attempt(() => this.store(this.review.verdict, note)), 500);
  }

  get entry() { return this.view.session.cases.find((entry) => entry.id === this.view.case.id); }
  get review() { return this.entry.review; }

  async store(verdict, note = this.review.note) {
    const entry = this.entry;
    entry.review = await put(`/api/cases/${entry.id}/review`, { verdict, note });
    this.view.list.refresh();
  }

  /** Gives a verdict; the same one again takes it back. */
  async judge(verdict) {
    if (!this.view.session.can_review) return;
    await this.store(this.review.verdict === verdict ? null : verdict);
    say(this.review.verdict ? `${this.view.case.title}: ${this.review.verdict}` : `${this.view.case.title}: open again`);
    this.view.rebuildPanel();
  }

  build() {
    const button = (id, words, verdict) => element("button", {
      type: "button", id, "aria-pressed": String(this.review.verdict === verdict), onclick: () => attempt(() => this.judge(verdict)),
    }, words);
    const note = element("textarea", { id: "note", rows: 3, oninput: () => this.saveNote(note.value) });
    note.value = this.review.note;
    const hasNext = this.view.session.cases.length > 1;
    return element("details", { open: true, id: "judge" }, element("summary", {}, "Judge"),
      element("div", { class: "row" }, button("accept", "Accept (Y)", "accepted"), button("reject", "Reject (N)", "rejected"),
        hasNext ? element("button", { type: "button", id: "next-case", onclick: () => this.view.list.step(1) }, "Next (J)") : null),
      element("label", { class: "field" }, "Note", note));
  }
}

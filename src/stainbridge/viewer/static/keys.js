/** Keys, in one table that the help shows too. */

import { byId, element } from "./dom.js";

/** Listens for keys: `table` is a list of { keys, words, run }. */
export function listenForKeys(table) {
  const runs = new Map(table.flatMap(({ keys, run }) => keys.map((key) => [key, run])));
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const tag = event.target.tagName;
    const isField = tag === "TEXTAREA" || tag === "SELECT" || (tag === "INPUT" && event.target.type !== "checkbox");
    if (isField || document.querySelector("dialog[open]")) return;
    if ((event.key === " " || event.key === "Enter") && (tag === "BUTTON" || tag === "SUMMARY" || tag === "INPUT")) return;
    if (event.target.closest("[role=slider]") && event.key.startsWith("Arrow")) return;
    const run = runs.get(event.key) ?? runs.get(event.key.toLowerCase());
    if (!run) return;
    event.preventDefault();
    run(event);
  });
  byId("keys").replaceChildren(...table.map(({ keys, words }) => element("tr", {},
    element("td", {}, ...keys.map((key) => element("kbd", {}, key === " " ? "Space" : key.replace("Arrow", "")))),
    element("td", {}, words))));
  byId("help-open").addEventListener("click", () => byId("help").showModal());
}

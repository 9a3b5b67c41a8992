/** Starts the page: the list of a cohort, or the one case. */

import { get } from "./api.js";
import { CaseView } from "./case_view.js";
import { attempt, byId, say } from "./dom.js";
import { readHash } from "./state.js";
import { keepWholePixels } from "./whole_pixels.js";

async function start() {
  const session = await attempt(() => get("/api/session"));
  if (!session) return;
  document.title = `${session.title} · stainbridge`;
  const view = new CaseView(session);
  window.stainbridge = view;  // for the console, and for tests
  const wanted = readHash();
  const known = session.cases.some((entry) => entry.id === wanted.case);
  if (!known && session.cases.length > 1) view.list.toggle(true);
  else await attempt(() => view.open(known ? wanted.case : session.cases[0].id, wanted));
}

window.addEventListener("error", (event) => say(event.message, true));
byId("title").textContent = "stainbridge";
keepWholePixels([...document.querySelectorAll(".bar")]);
start();

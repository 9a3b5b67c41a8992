/** Makes elements: element("button", { class: "x", onclick }, "text", child). */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key === "class") made.className = value;
    else if (key === "value" || key === "checked" || key === "disabled") made[key] = value;
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export const byId = (id) => document.getElementById(id);

let hiding;

/** Shows one line above the slides; errors stay longer. */
export function say(line, isError = false) {
  const place = byId("message");
  place.textContent = line;
  place.classList.toggle("error", isError);
  place.hidden = !line;
  clearTimeout(hiding);
  if (line) hiding = setTimeout(() => { place.hidden = true; }, isError ? 9000 : 4000);
}

/** Runs what may fail, and says why when it does. */
export async function attempt(work) {
  try {
    return await work();
  } catch (error) {
    say(error.message, true);
    return undefined;
  }
}

/** Calls `work` once, this long after the last call. */
export function debounce(work, milliseconds) {
  let waiting;
  return (...parts) => {
    clearTimeout(waiting);
    waiting = setTimeout(() => work(...parts), milliseconds);
  };
}

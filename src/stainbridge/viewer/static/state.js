/** The view as a link: everything that makes it lies in the URL's hash. */

const NUMBERS = ["x", "y", "zoom", "fade", "swipe"];

/** Returns the state in the hash, as far as it is there. */
export function readHash(hash = location.hash) {
  const state = Object.fromEntries(new URLSearchParams(hash.slice(1)));
  for (const name of NUMBERS) {
    if (!(name in state)) continue;
    const number = Number(state[name]);
    if (Number.isFinite(number)) state[name] = number;
    else delete state[name];
  }
  return state;
}

/** Writes a state to the hash; a view gets no entry of its own in the history. */
export function writeHash(state) {
  const words = new URLSearchParams();
  for (const [name, value] of Object.entries(state)) {
    if (value !== undefined && value !== null && value !== "") words.set(name, String(value));
  }
  history.replaceState(null, "", `#${words}`);
}

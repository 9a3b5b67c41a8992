/** The scale bar, and coordinates in words. */

import { byId } from "./dom.js";

const LARGEST_PX = 140;

/** Returns the longest of 1, 2, 5 · 10ⁿ that is at most `length`. */
export function roundLength(length) {
  const power = 10 ** Math.floor(Math.log10(length));
  return [5, 2, 1].find((step) => step * power <= length) * power;
}

/** Returns a length in µm as people write it. */
export function formatLength(um, calibrated) {
  if (!calibrated) return `${format(um)} px`;
  if (um >= 1000) return `${format(um / 1000)} mm`;
  return um >= 1 ? `${format(um)} µm` : `${format(um * 1000)} nm`;
}

const format = (number) => String(Number(number.toPrecision(3)));

/** Draws the bar for `scale` screen pixels a slide pixel. */
export function drawScale(scale, mpp, calibrated) {
  const place = byId("scale");
  const um = roundLength((LARGEST_PX * mpp) / scale);
  place.firstElementChild.style.width = `${(um / mpp) * scale}px`;
  place.lastElementChild.textContent = formatLength(um, calibrated);
}

/** Returns a point in pixels, and in µm where the slide says how large they are. */
export function formatPoint([x, y], mpp, calibrated) {
  const px = `${Math.round(x)}, ${Math.round(y)} px`;
  return calibrated ? `${px} (${(x * mpp[0]).toFixed(1)}, ${(y * mpp[1]).toFixed(1)} µm)` : px;
}

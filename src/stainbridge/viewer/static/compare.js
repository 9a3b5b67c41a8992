/** The ways to lay the second slide over the first; all of them are CSS on its view. */

export const MODES = [
  { id: "fade", name: "Fade", key: "1" },
  { id: "swipe", name: "Swipe", key: "2" },
  { id: "side", name: "Side by side", key: "3" },
  { id: "checker", name: "Checkerboard", key: "4" },
  { id: "difference", name: "Difference", key: "5" },
  { id: "tint", name: "Two colours", key: "6" },
];

/** Side of the squares of the checkerboard on the screen, in CSS pixels. */
const SQUARE_PX = 96;

/** Returns the CSS of the second view. */
export function overlayStyle(mode, fade, swipe) {
  const share = fade / 100;
  const style = { opacity: "1", maskImage: "none", maskSize: "auto", mixBlendMode: "normal" };
  if (mode === "fade") style.opacity = String(share);
  if (mode === "swipe") style.maskImage = `linear-gradient(90deg, transparent ${swipe}%, #000 ${swipe}%)`;
  if (mode === "checker") {
    style.maskImage = "conic-gradient(#000 25%, transparent 0 50%, #000 0 75%, transparent 0)";
    style.maskSize = `${2 * SQUARE_PX}px ${2 * SQUARE_PX}px`;
    style.opacity = String(share === 0 ? 0 : 1);
  }
  if (mode === "difference") style.mixBlendMode = "difference";
  if (mode === "tint") style.mixBlendMode = "multiply";
  return style;
}

/** Returns the CSS filter of a view: brightness and contrast in percent, and its tint. */
export function viewFilter(look, mode, tint) {
  const words = [];
  if (look.brightness !== 100) words.push(`brightness(${look.brightness}%)`);
  if (look.contrast !== 100) words.push(`contrast(${look.contrast}%)`);
  if (mode === "tint") words.push(`url(#${tint})`);
  return words.join(" ") || "none";
}

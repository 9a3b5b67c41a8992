/** Keeps the slides on whole pixels of the screen: on a fraction, every pixel of a tile is blurred. */

function roundHeight(bar) {
  bar.style.minHeight = "";
  bar.style.minHeight = `${Math.ceil(bar.getBoundingClientRect().height)}px`;
}

/** Gives bars a height in whole pixels, now and whenever they or the window change. */
export function keepWholePixels(bars) {
  const round = () => bars.forEach(roundHeight);
  // in the next frame: sizes that change while they are observed are an error to browsers
  const observer = new ResizeObserver(() => requestAnimationFrame(round));
  bars.forEach((bar) => observer.observe(bar));
  window.addEventListener("resize", round);
  round();
}

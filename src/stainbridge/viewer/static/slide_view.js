/** One slide in one OpenSeadragon viewer, in full-resolution pixels of its plane. */

import { layerPath } from "./api.js";

const OPTIONS = {
  drawer: "canvas",
  showNavigationControl: false,
  keyboardNavEnabled: false,
  animationTime: 0.3,
  springStiffness: 9,
  imageLoaderLimit: 3,
  maxTilesPerFrame: 8,
  loadTilesWithAjax: true,
  timeout: 60000,
  visibilityRatio: 0.25,
  minZoomImageRatio: 0.5,
  maxZoomPixelRatio: 16,
  maxImageCacheCount: 400,
  gestureSettingsMouse: { clickToZoom: false, dblClickToZoom: true },
  gestureSettingsTouch: { clickToZoom: false, dblClickToZoom: true, pinchRotate: false },
  gestureSettingsPen: { clickToZoom: false },
};

/** What is less off a whole number of pixels is on it. */
const WHOLE = 1e-3;

/** Returns the words of a URL that show a layer as `look` says. */
export function renderingQuery(look) {
  const words = new URLSearchParams();
  if (look.stain) {
    words.set("stain", look.stain);
    if (look.colour) words.set("colour", look.colour);
  }
  const shown = look.channels?.filter((channel) => channel.shown) ?? [];
  if (look.channels?.length) {
    const used = shown.length ? shown : [{ ...look.channels[0], colour: "000000" }];
    words.set("channels", used.map(({ index, colour, low, high }) => `${index}:${colour}:${low}:${high}`).join(","));
  }
  return words;
}

export class SlideView {
  /** `onError` gets one line when tiles cannot be read. */
  constructor(place, onError) {
    this.place = place;
    this.plane = null;
    this.viewer = new OpenSeadragon({ ...OPTIONS, element: place });
    // OpenSeadragon draws tiles a pixel larger, to hide seams: on whole pixels there are none, and
    // tiles of their own size are sharp.
    this.viewer.drawer.minimumOverlapRequired = () => !this.liesOnWholePixels();
    this.viewer.addHandler("tile-load-failed", ({ tileRequest }) => {
      const text = tileRequest?.responseText;
      if (tileRequest?.status >= 400) onError(readError(tileRequest, text));
    });
  }

  /** Shows a layer, aligned or as it lay before; the part that is looked at stays. */
  show(caseId, version, layer, look, isAligned = true) {
    const plane = layer.aligned;
    const query = renderingQuery(look);
    query.set("v", version);
    if (!isAligned) query.set("placed", "unaligned");
    const base = `${layerPath(caseId, layer.id)}/tiles`;
    const source = `${base}?${query}`;
    if (source === this.source) return;
    this.source = source;
    const isFirst = this.plane === null || this.plane.width !== plane.width || this.plane.height !== plane.height;
    this.plane = plane;
    const tileSource = {
      width: plane.width,
      height: plane.height,
      tileSize: plane.tile_px,
      tileOverlap: 0,
      maxLevel: plane.last_level,
      getTileUrl: (level, column, row) => `${base}/${level}/${column}/${row}?${query}`,
    };
    if (isFirst) this.viewer.open(tileSource);
    else this.viewer.addTiledImage({ tileSource, index: 0, replace: this.viewer.world.getItemCount() > 0 });
  }

  whenOpen(work) {
    if (this.viewer.isOpen()) work();
    else this.viewer.addOnceHandler("open", work);
  }

  /** Returns where pixel (0, 0) lies on the element, and screen pixels a slide pixel. */
  placement() {
    const viewport = this.viewer.viewport;
    if (!this.plane || !viewport) return null;
    const origin = viewport.pixelFromPoint(new OpenSeadragon.Point(0, 0), true);
    const end = viewport.pixelFromPoint(new OpenSeadragon.Point(1, 0), true);
    return { x: origin.x, y: origin.y, scale: (end.x - origin.x) / this.plane.width };
  }

  /** Returns whether pixels of the slide are whole pixels of the screen. */
  liesOnWholePixels() {
    const placement = this.placement();
    const ratio = window.devicePixelRatio;
    const isWhole = (value) => Math.abs(value - Math.round(value)) < WHOLE;
    return placement !== null && placement.scale * ratio > 0.5
      && [placement.x, placement.y, placement.scale].every((value) => isWhole(value * ratio));
  }

  toSlide(x, y) {
    const placement = this.placement();
    return placement && [(x - placement.x) / placement.scale, (y - placement.y) / placement.scale];
  }

  /** Centres on a pixel, at `scale` screen pixels a slide pixel where it is given. */
  goTo(x, y, scale, immediately = false) {
    const viewport = this.viewer.viewport;
    const centre = new OpenSeadragon.Point(x / this.plane.width, y / this.plane.width);
    if (scale) viewport.zoomTo((scale * this.plane.width) / viewport.getContainerSize().x, null, immediately);
    viewport.panTo(centre, immediately);
    if (immediately) viewport.applyConstraints(true);
  }

  centre() {
    const viewport = this.viewer.viewport;
    const centre = viewport.getCenter(true);
    return {
      x: centre.x * this.plane.width,
      y: centre.y * this.plane.width,
      scale: (viewport.getZoom(true) * viewport.getContainerSize().x) / this.plane.width,
    };
  }

  home(immediately = false) {
    this.viewer.viewport.goHome(immediately);
  }

  /** Shows what another view shows. */
  follow(other) {
    this.viewer.viewport.fitBounds(other.viewer.viewport.getBounds(true), true);
  }

  get isBusy() {
    const image = this.viewer.world.getItemAt(0);
    return !image || !image.getFullyLoaded();
  }
}

function readError(request, text) {
  try {
    return JSON.parse(typeof text === "string" ? text : "").error;
  } catch {
    return request.status === 410
      ? "A slide is no longer where it was; put it back, then reload the page."
      : `A tile cannot be shown (${request.status}).`;
  }
}

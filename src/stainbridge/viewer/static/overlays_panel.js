/** The panel's controls for what lies over the slides. */

import { download, get, layerPath, post } from "./api.js";
import { attempt, element, say } from "./dom.js";
import { linesPath, parseAnnotations } from "./drawing.js";

const MAPS = [
  ["", "No map"],
  ["area", "Change of area (Jacobian)"],
  ["agreement", "Local agreement"],
];

export class OverlaysPanel {
  constructor(view) {
    this.view = view;
    this.reset();
  }

  reset() {
    this.mapKind = "";
    this.map = null;
    this.limit = null;
    this.grid = null;
    this.annotations = [];
  }

  get shapes() { return this.annotations.flatMap((one) => (one.shown ? one.shapes : [])); }

  get path() { return layerPath(this.view.case.id, this.view.movingLayer.id); }

  async setMap(kind) {
    this.mapKind = kind;
    this.map = null;
    if (kind) {
      const reply = await fetch(`${this.path}/maps/${kind}?v=${this.view.case.version}`);
      if (!reply.ok) throw new Error((await reply.json()).error);
      this.limit = reply.headers.get("X-Limit");
      this.map = await createImageBitmap(await reply.blob());
    }
    this.view.rebuildPanel();
    this.view.draw();
  }

  async setGrid(shown) {
    this.grid = shown ? linesPath((await get(`${this.path}/grid`)).lines) : null;
    this.view.draw();
  }

  /** Shows a file of annotations of a layer's own slide. */
  async addFile(file, layerId) {
    const data = await parse(file);
    const onFixed = await post(`${layerPath(this.view.case.id, layerId)}/annotations?to=fixed`, data);
    this.annotations.push({ name: file.name, layerId, data, onFixed, shown: true, shapes: parseAnnotations(onFixed) });
    say(`${file.name} is shown.`);
    this.view.rebuildPanel();
    this.view.draw();
  }

  /** Saves annotations for another slide, moved there. */
  async save(one, layerId) {
    const isOwn = one.layerId === layerId;
    const data = isOwn ? one.data
      : layerId === "fixed" ? one.onFixed
        : await post(`${layerPath(this.view.case.id, layerId)}/annotations?to=layer`, one.onFixed);
    const stem = one.name.replace(/\.(geo)?json$/i, "");
    download(`${stem}-on-${this.view.layer(layerId).title}.geojson`, JSON.stringify(data));
  }

  build() {
    const hasTransform = Boolean(this.view.movingLayer);
    const parts = [element("summary", {}, "Overlays")];
    if (hasTransform) parts.push(...this.buildMaps());
    parts.push(...this.buildAnnotations());
    return element("details", { open: true, id: "overlays" }, ...parts);
  }

  buildMaps() {
    const select = element("select", { id: "map-kind", onchange: () => attempt(() => this.setMap(select.value)) },
      ...MAPS.map(([value, name]) => element("option", { value, selected: value === this.mapKind }, name)));
    const grid = element("input", {
      id: "grid-shown", type: "checkbox", checked: Boolean(this.grid),
      onchange: () => attempt(() => this.setGrid(grid.checked)),
    });
    return [
      element("label", { class: "field" }, "Map", select),
      this.buildLegend(),
      element("label", { class: "check" }, grid, "Deformation grid of the moving slide"),
    ];
  }

  buildLegend() {
    if (!this.map) return null;
    const words = this.mapKind === "area"
      ? [`÷ ${this.limit}: stretched`, "unchanged", `× ${this.limit}: shrunk`]
      : ["unlike", "", "alike"];
    return element("div", {}, element("div", { class: `legend ${this.mapKind}` }),
      element("div", { class: "legend-words" }, ...words.map((word) => element("span", {}, word))));
  }

  buildAnnotations() {
    const layers = this.view.layers;
    const side = element("select", { id: "annotations-of", "aria-label": "Slide of the annotations" },
      ...layers.map((layer) => element("option", { value: layer.id }, layer.title)));
    const file = element("input", {
      id: "annotations-file", type: "file", accept: ".geojson,.json,application/geo+json,application/json",
      "aria-label": "GeoJSON file", class: "file",
      onchange: () => attempt(async () => {
        for (const one of file.files) await this.addFile(one, side.value);
        file.value = "";
      }),
    });
    return [
      element("h2", {}, "QuPath annotations (GeoJSON)"),
      element("label", { class: "field" }, "They are of", side), file,
      ...this.annotations.map((one) => this.buildOne(one, layers)),
    ];
  }

  buildOne(one, layers) {
    const shown = element("input", {
      type: "checkbox", checked: one.shown, "aria-label": `Show ${one.name}`,
      onchange: () => { one.shown = shown.checked; this.view.draw(); },
    });
    return element("div", { class: "group" }, element("label", { class: "check" }, shown, one.name),
      ...layers.map((layer) => element("button", {
        type: "button", onclick: () => attempt(() => this.save(one, layer.id)),
      }, `Save for ${layer.title}`)));
  }
}

async function parse(file) {
  try {
    return JSON.parse(await file.text());
  } catch (error) {
    throw new Error(`${file.name} is not JSON: ${error.message}`);
  }
}

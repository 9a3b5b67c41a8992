/** How each layer is looked at, and the panel's controls for it. */

import { element } from "./dom.js";

/** Returns how a layer is shown at first. */
export function firstLook(layer) {
  return {
    brightness: 100,
    contrast: 100,
    stain: "",
    colour: "",
    channels: layer.channels.map((channel, index) => ({ index, shown: true, ...channel })),
  };
}

const STAINS = [
  ["", "Its own colours"],
  ["haematoxylin", "Haematoxylin of H&E"],
  ["eosin", "Eosin of H&E"],
  ["dab", "DAB of an IHC stain"],
  ["counterstain", "Haematoxylin of an IHC stain"],
];
const STAIN_COLOURS = { haematoxylin: "#3a3e96", eosin: "#d63c84", dab: "#784212", counterstain: "#3a3e96" };

function percentSlider(name, look, key, changed) {
  const input = element("input", {
    type: "range", min: 30, max: 250, value: look[key],
    oninput: () => { look[key] = Number(input.value); changed("filter"); },
  });
  return element("label", { class: "field" }, name, input);
}

function stainChoice(layer, look, changed) {
  const colour = element("input", {
    type: "color", value: look.colour ? `#${look.colour}` : (STAIN_COLOURS[look.stain] ?? "#3a3e96"),
    "aria-label": `Colour of the stain of ${layer.title}`, disabled: !look.stain,
    onchange: () => { look.colour = colour.value.slice(1); changed("tiles"); },
  });
  const select = element("select", {
    "aria-label": `What to show of ${layer.title}`,
    onchange: () => {
      look.stain = select.value;
      look.colour = "";
      colour.disabled = !look.stain;
      if (look.stain) colour.value = STAIN_COLOURS[look.stain];
      changed("tiles");
    },
  }, ...STAINS.map(([value, name]) => element("option", { value, selected: value === look.stain }, name)));
  return element("div", { class: "row" }, select, colour);
}

function channelRow(channel, changed) {
  const number = (key, words) => {
    const input = element("input", {
      type: "number", step: "any", value: String(channel[key]), "aria-label": `${words} of ${channel.name}`,
      onchange: () => {
        const value = Number(input.value);
        const fits = key === "low" ? value < channel.high : value > channel.low;
        if (Number.isFinite(value) && fits) { channel[key] = value; changed("tiles"); }
        else input.value = String(channel[key]);
      },
    });
    return input;
  };
  const shown = element("input", {
    type: "checkbox", checked: channel.shown, "aria-label": `Show ${channel.name}`,
    onchange: () => { channel.shown = shown.checked; changed("tiles"); },
  });
  const colour = element("input", {
    type: "color", value: `#${channel.colour}`, "aria-label": `Colour of ${channel.name}`,
    onchange: () => { channel.colour = colour.value.slice(1); changed("tiles"); },
  });
  return element("div", { class: "channel" }, shown, element("span", {}, channel.name), colour,
    element("div", { class: "window" }, number("low", "Black"), number("high", "Full")));
}

/** Returns the controls of one layer; `changed` is told "filter" or "tiles". */
export function layerControls(layer, look, changed) {
  const parts = [
    element("h2", {}, layer.stain ? `${layer.title} · ${layer.stain}` : layer.title),
    percentSlider("Brightness", look, "brightness", changed),
    percentSlider("Contrast", look, "contrast", changed),
  ];
  if (layer.is_rgb) parts.push(stainChoice(layer, look, changed));
  parts.push(...look.channels.map((channel) => channelRow(channel, changed)));
  return element("div", { class: "group" }, ...parts);
}

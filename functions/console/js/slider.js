// A slider with its number: a knob of an effect, a level of a mix.

import { decimal } from "./format.js";
import { html, useId } from "./lib.js";

const STEPS = 200;

/** `knob`: `{name, display_name, minimum, maximum, default, unit, scale}`; a `log` scale moves in octaves. */
export function Slider({ knob, value, onChange }) {
  const id = useId();
  const { minimum: low, maximum: high } = knob;
  const log = knob.scale === "log" && low > 0;
  const place = log ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
  const at = (part) => (log ? low * (high / low) ** part : low + part * (high - low));
  const rounded = (number) => Number(number.toPrecision(3));
  const words = `${decimal(value, Math.abs(value) >= 100 ? 0 : high - low > 20 ? 1 : 2)} ${knob.unit}`.trim();
  return html`<div class="slider"><label for=${id}>${knob.display_name}</label>
    <input id=${id} type="range" min="0" max=${STEPS} value=${Math.round(place * STEPS)} aria-valuetext=${words}
      onInput=${(event) => onChange(rounded(at(event.target.value / STEPS)))} onDblClick=${() => onChange(knob.default)} />
    <output for=${id}>${words}</output></div>`;
}

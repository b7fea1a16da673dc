// The keys.

import { Dialog } from "./dialog.js";
import { html } from "./lib.js";

const KEYS = [
  ["Space", "play, pause"],
  ["← →", "move the playhead by a second (⇧ five, ⌥ a hundredth)"],
  ["Home, End", "to the start, to the end"],
  ["L", "repeat what plays, on and off"],
  ["+ − 0", "zoom in, out, show all; also ctrl and the wheel"],
  ["1 … 9", "switch a layer on and off"],
  ["Tab", "to the next lane, panel or button"],
  ["In a lane", "← → choose, Enter plays, ↑ ↓ change the lane"],
  ["Under Cut", "← → choose words (⇧ more), Delete cuts, Enter plays from there, Ctrl Z takes back"],
  ["Ctrl S", "save the transcript"],
  ["Esc", "leave a field or a window"],
  ["?", "this list"],
];

export function Help({ onClose }) {
  return html`<${Dialog} title="Keyboard" onClose=${onClose}>
    <dl class="keys">${KEYS.map(([key, does]) => html`<div key=${key}><dt><kbd>${key}</kbd></dt><dd>${does}</dd></div>`)}</dl>
  <//>`;
}

// An error, in plain words first; what to report is behind a fold.

import { plain } from "./errors.js";
import { time } from "./format.js";
import { Icon } from "./icons.js";
import { html } from "./lib.js";

/** Where in the recording it was, if it was in a part of a long one. */
const where = ({ part }) =>
  part ? `In part ${part.number} of ${part.count}, from ${time(part.start_ms, 0)} to ${time(part.end_ms, 0)}.` : "";

/** `of`: the step; `onAgain`: offer to do it again. */
export function ErrorBox({ error, of, note, onAgain, againWords = "Run again", onClose }) {
  const { title, text, advice } = plain(error);
  return html`<div class="error-box" role="group" aria-label=${of ? `${of}: ${title}` : title}>
    <${Icon} name="warn" />
    <div class="error-words">
      <p><strong>${of ? `${of}: ` : ""}${title}.</strong> ${text} ${where(error)} <span class="dim">${advice}</span> ${note && html`<span class="dim">${note}</span>`}</p>
      <details><summary>Details</summary><pre tabindex="0">${JSON.stringify(error, null, 1)}</pre></details>
    </div>
    ${onAgain && html`<button type="button" class="button" onClick=${onAgain}><${Icon} name="again" size=${14} /> ${againWords}</button>`}
    ${onClose && html`<button type="button" class="plain" aria-label="Dismiss" onClick=${onClose}><${Icon} name="close" size=${14} /></button>`}
  </div>`;
}

// An error, in plain words first; what to report is behind a fold.

import { plain } from "./errors.js";
import { Icon } from "./icons.js";
import { html } from "./lib.js";

/** `of`: the step; `onAgain`: offer to do it again. */
export function ErrorBox({ error, of, note, onAgain, againWords = "Run again", onClose }) {
  const { title, text, advice } = plain(error);
  return html`<div class="error-box" role="group" aria-label=${of ? `${of}: ${title}` : title}>
    <${Icon} name="warn" />
    <div class="error-words">
      <p><strong>${of ? `${of}: ` : ""}${title}.</strong> ${text} <span class="dim">${advice}</span> ${note && html`<span class="dim">${note}</span>`}</p>
      <details><summary>Details</summary><pre tabindex="0">${JSON.stringify(error, null, 1)}</pre></details>
    </div>
    ${onAgain && html`<button type="button" class="button" onClick=${onAgain}><${Icon} name="again" size=${14} /> ${againWords}</button>`}
    ${onClose && html`<button type="button" class="plain" aria-label="Dismiss" onClick=${onClose}><${Icon} name="close" size=${14} /></button>`}
  </div>`;
}

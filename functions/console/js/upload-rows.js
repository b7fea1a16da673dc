// What goes up, from its first byte on, and why it does not.

import { ErrorBox } from "./error-box.js";
import { bytes, percent } from "./format.js";
import { Icon } from "./icons.js";
import { html, useRef } from "./lib.js";
import { again, cancel, dismiss, take } from "./uploads.js";

/** `runs`: an upload is shown until the run that it opened is. */
export function UploadRows({ list, runs }) {
  const listed = new Set((runs ?? []).map((run) => run.run_id));
  const shown = list.filter((one) => one.state !== "cancelled" && !(one.state === "done" && listed.has(one.runId)));
  if (!shown.length) return null;
  return html`<section aria-labelledby="uploads">
    <h2 id="uploads" class="section">Uploads <span class="dim">${shown.length}</span></h2>
    <ul class="rows">${shown.map((one) => html`<${UploadRow} key=${one.key} upload=${one} />`)}</ul>
  </section>`;
}

function UploadRow({ upload: { key, name, size, sent, state, error } }) {
  const input = useRef();
  const part = `${percent(size ? sent / size : 0)} of ${bytes(size)}`;
  const words = {
    waiting: `waiting, ${bytes(size)}`,
    sending: part,
    away: `${part}, waiting for the server`,
    cut: `${part} is there: choose the file again to go on`,
    done: "taken in",
  }[state];
  return html`<li class="row upload" data-upload=${state}>
    <span class="row-icon"><${Icon} name="upload" size=${18} /></span>
    <span class="row-name">${name}</span>
    ${state === "failed"
      ? html`<${ErrorBox} error=${error} againWords="Try again" onAgain=${() => again(key)} onClose=${() => dismiss(key)} />`
      : html`<progress max=${size || 1} value=${sent} aria-label=${`Uploading ${name}`}></progress>
        <span class="row-size dim" role="status">${words}</span>
        ${state === "cut" && html`<button type="button" class="button" onClick=${() => input.current.click()}>Choose the file</button>
          <input ref=${input} type="file" hidden aria-label=${`Choose ${name} again`} onChange=${(event) => take(event.target.files)} />`}
        <button type="button" class="plain" aria-label=${`Cancel ${name}`} onClick=${() => cancel(key)}><${Icon} name="close" size=${14} /></button>`}
  </li>`;
}

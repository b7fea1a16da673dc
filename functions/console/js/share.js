// A link that shows this recording's results to whoever has it, for a while, and changes nothing.

import { post } from "./api.js";
import { Dialog } from "./dialog.js";
import { ErrorBox } from "./error-box.js";
import { html, useState } from "./lib.js";
import { toast } from "./toast.js";

const DAY_S = 86_400;
const SPANS = [[DAY_S, "a day"], [7 * DAY_S, "a week"], [30 * DAY_S, "a month"]];

export function ShareDialog({ assetId, onClose }) {
  const [span, setSpan] = useState(7 * DAY_S);
  const [link, setLink] = useState(null);
  const [error, setError] = useState(null);
  const make = (event) => {
    event.preventDefault();
    post(`/assets/${assetId}/links`, { expires_in_s: span }).then(setLink, (failure) => setError(failure.error ?? { message: failure.message }));
  };
  const address = link && new URL(link.url, location.origin).href;
  const copy = () => navigator.clipboard.writeText(address).then(() => toast("Copied"), () => toast("Copy it by hand, please"));
  return html`<${Dialog} title="A link to this recording" onClose=${onClose}>
    <form class="step-form" onSubmit=${make}>
      <p class="dim">Whoever has it sees and hears the results, and changes nothing. It can't be taken back before it expires.</p>
      <div class="field"><label for="link-span">opens it for</label>
        <select id="link-span" value=${span} onChange=${(event) => (setSpan(Number(event.target.value)), setLink(null))}>${SPANS.map(([value, words]) => html`<option key=${value} value=${value}>${words}</option>`)}</select></div>
      ${link && html`<div class="field"><label for="link-address">address</label><input id="link-address" type="text" readonly value=${address} onFocus=${(event) => event.target.select()} />
        <p class="dim">until ${new Date(link.expires_at * 1000).toLocaleString()}</p></div>`}
      ${error && html`<${ErrorBox} error=${error} />`}
      <div class="form-end">${link ? html`<button type="button" class="button primary" onClick=${copy}>Copy</button>` : html`<button type="submit" class="button primary">Make the link</button>`}</div>
    </form>
  <//>`;
}

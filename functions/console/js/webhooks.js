// Who is told when a run finishes or a step fails, and how that went.

import { call, get, post } from "./api.js";
import { ErrorBox } from "./error-box.js";
import { ago } from "./format.js";
import { Icon } from "./icons.js";
import { html, useEffect, useState } from "./lib.js";
import { stepTitle } from "./pipeline.js";
import { toast, toastError } from "./toast.js";

const EVENTS = { "run.finished": "a run has finished", "step.failed": "a step has failed", "step.finished": "a step has finished", "artifact.created": "a file was made" };
const STATES = { pending: ["waiting", ""], delivered: ["told", "done"], failed: ["failed", "failed"] };
const SHOWN = 20;

export function Webhooks() {
  const [hook, setHook] = useState(null); // null: none, or not read yet
  const [asking, setAsking] = useState(false);
  const [secret, setSecret] = useState(null);
  const [deliveries, setDeliveries] = useState([]);
  const readDeliveries = () => get(`/webhooks/deliveries?limit=${SHOWN}`).then((page) => setDeliveries(page.deliveries), toastError);
  useEffect(() => {
    get("/settings").then((told) => setHook(told.webhook), toastError);
    readDeliveries();
  }, []);
  const remove = () => {
    if (!confirm(`Tell ${hook.url} nothing any more?`)) return;
    call("/settings/webhooks", { method: "DELETE" }).then(() => (setHook(null), setSecret(null), toast("Removed")), toastError);
  };
  const saved = ({ secret: made, ...told }) => (setHook(told), setSecret(made), setAsking(false), toast("Saved"));
  const again = (one) => post(`/webhooks/deliveries/${one.delivery_id}/replay`).then(() => (toast("Sent again"), readDeliveries()), toastError);
  return html`<section aria-labelledby="webhooks">
    <div class="list-bar"><h2 id="webhooks" class="section">Webhook</h2><span class="grow"></span>
      ${!hook && !asking && html`<button type="button" class="button" onClick=${() => setAsking(true)}><${Icon} name="plus" size=${14} /> Add</button>`}</div>
    ${hook && html`<ul class="rows"><li class="row hook"><span class="row-name">${hook.url}</span>
      <span class="row-about dim">${hook.events.map((one) => EVENTS[one] ?? one).join(", ")}</span>
      <span class="row-tools"><button type="button" class="plain" aria-label="Change the webhook" onClick=${() => setAsking(true)}><${Icon} name="edit" size=${14} /></button>
        <button type="button" class="plain" aria-label="Remove the webhook" onClick=${remove}><${Icon} name="trash" size=${14} /></button></span></li></ul>`}
    ${secret && html`<div class="field secret"><label for="hook-secret">signed with (shown this once)</label>
      <input id="hook-secret" type="text" readonly value=${secret} onFocus=${(event) => event.target.select()} /></div>`}
    ${asking && html`<${HookForm} hook=${hook} onSaved=${saved} onCancel=${() => setAsking(false)} />`}
    ${!hook && !asking && html`<p class="dim">An address of yours that is told, signed, when a run has finished or a step has failed. Each tenant has one.</p>`}
    ${(hook || deliveries.length > 0) && html`<div class="list-bar"><h3 class="section">Last deliveries</h3><span class="grow"></span>
      <button type="button" class="plain" aria-label="Read the deliveries again" onClick=${readDeliveries}><${Icon} name="again" size=${14} /></button></div>
    ${deliveries.length ? html`<ul class="rows">${deliveries.map((one) => html`<${DeliveryRow} key=${one.delivery_id} one=${one} onAgain=${() => again(one)} />`)}</ul>` : html`<p class="dim">Nothing was told yet.</p>`}`}
  </section>`;
}

function DeliveryRow({ one, onAgain }) {
  const [words, state] = STATES[one.state];
  const about = [one.step && stepTitle(one.step), one.status && `HTTP ${one.status}`, one.error, one.attempts > 1 && `${one.attempts} attempts`].filter(Boolean);
  return html`<li class="row delivery"><span class="row-name">${EVENTS[one.type] ?? one.type}</span>
    <span class="row-about dim">${about.join(" · ")}</span><span class="row-when dim">${one.told_at ? ago(one.told_at) : ""}</span>
    <span class=${`row-state ${state}`}>${words}</span>
    <button type="button" class="plain" aria-label=${`Send again: ${EVENTS[one.type] ?? one.type}`} title="Send again" onClick=${onAgain}><${Icon} name="again" size=${14} /></button></li>`;
}

function HookForm({ hook, onSaved, onCancel }) {
  const [url, setUrl] = useState(hook?.url ?? "");
  const [events, setEvents] = useState(new Set(hook?.events ?? ["run.finished", "step.failed"]));
  const [error, setError] = useState(null);
  const toggle = (name) =>
    setEvents((now) => {
      const next = new Set(now);
      if (!next.delete(name)) next.add(name);
      return next;
    });
  const send = (event) => {
    event.preventDefault();
    const body = { url: url.trim(), events: Object.keys(EVENTS).filter((one) => events.has(one)) };
    call("/settings/webhooks", { method: "PUT", body }).then(onSaved, (failure) => setError(failure.error ?? { message: failure.message }));
  };
  return html`<form class="step-form hook-form" aria-label="Webhook" onSubmit=${send}>
    <div class="field"><label for="hook-url">address</label><input id="hook-url" type="url" required maxlength="2000" placeholder="https://" value=${url} onInput=${(event) => setUrl(event.target.value)} /></div>
    <fieldset class="field"><legend>is told when</legend>${Object.entries(EVENTS).map(([name, words]) => html`<label key=${name} class="check"><input type="checkbox" checked=${events.has(name)} onChange=${() => toggle(name)} /> ${words}</label>`)}</fieldset>
    ${hook && html`<p class="dim">Saving makes a new secret: the receiver needs it.</p>`}
    ${error && html`<${ErrorBox} error=${error} />`}
    <div class="form-end"><button type="button" class="button" onClick=${onCancel}>Cancel</button><button type="submit" class="button primary" disabled=${!events.size}>Save</button></div>
  </form>`;
}

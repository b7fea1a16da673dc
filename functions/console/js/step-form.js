// A form for a step's params, made from the API's own description of them.

import { reprocess } from "./api.js";
import { paramsOf } from "./description.js";
import { Dialog } from "./dialog.js";
import { ErrorBox } from "./error-box.js";
import { html, useEffect, useState } from "./lib.js";
import { track } from "./live.js";
import { stepTitle } from "./pipeline.js";
import { toast } from "./toast.js";

const NOT_PARAMS = new Set(["asset_id", "artifact_id", "force", "tenant_id", "env", "user_id", "edits", "timeline", "timeline_id"]);
const fieldsOf = async (path) => (await paramsOf(path)).filter(({ name }) => !NOT_PARAMS.has(name));

/** A form that runs the step on a recording. */
export function StepForm({ assetId, step, path, onClose }) {
  const send = async (params) => {
    const run = await reprocess(assetId, step, params);
    track(run.run_id);
    toast(`${stepTitle(step)} runs`);
  };
  return html`<${ParamsForm} title=${stepTitle(step)} path=${path} words="Run" onSend=${send} onClose=${onClose} />`;
}

/** The params of the step that `path` begins; `first`: those that are filled in at first. */
export function ParamsForm({ title, path, first = {}, words, onSend, onClose }) {
  const [fields, setFields] = useState(null);
  const [values, setValues] = useState(() => Object.fromEntries(Object.entries(first).map(([name, value]) => [name, written(value)])));
  const [error, setError] = useState(null);
  useEffect(() => {
    fieldsOf(path).then(setFields, (failure) => setError(failure.error));
  }, [path]);
  const send = async (event) => {
    event.preventDefault();
    setError(null);
    try {
      await onSend(given(fields, values));
      onClose();
    } catch (failure) {
      setError(failure.error ?? { code: "validation_error", message: failure.message });
    }
  };
  return html`<${Dialog} title=${title} onClose=${onClose}>
    <form class="step-form" onSubmit=${send}>
      <p class="dim">What is left empty stays as it is by default.</p>
      ${!fields && !error && html`<p class="dim" aria-busy="true">Reading…</p>`}
      ${(fields ?? []).map((field) => html`<${Field} key=${field.name} field=${field} value=${values[field.name] ?? ""}
        onChange=${(value) => setValues((now) => ({ ...now, [field.name]: value }))} />`)}
      ${error && html`<${ErrorBox} error=${error} />`}
      <div class="form-end"><button type="button" class="button" onClick=${onClose}>Cancel</button>
        <button type="submit" class="button primary" disabled=${!fields}>${words}</button></div>
    </form>
  <//>`;
}

const written = (value) => (typeof value === "object" ? JSON.stringify(value) : String(value));

function Field({ field, value, onChange }) {
  const id = `field-${field.name}`;
  const set = (event) => onChange(event.target.value);
  const options = field.enum ?? (field.type === "boolean" ? ["true", "false"] : field.const ? [field.const] : null);
  const usual = field.default === undefined || field.default === null ? "" : JSON.stringify(field.default).replaceAll('"', "");
  const control = options
    ? html`<select id=${id} value=${value} onChange=${set}><option value="">${usual ? `${usual} (default)` : "default"}</option>
        ${options.map((one) => html`<option key=${one} value=${one}>${String(one)}</option>`)}</select>`
    : html`<input id=${id} type=${isNumber(field) ? "number" : "text"} step="any" min=${field.minimum} max=${field.maximum}
        value=${value} placeholder=${usual} onInput=${set} />`;
  return html`<div class="field"><label for=${id}>${field.name.replaceAll("_", " ")}</label>${control}
    ${field.description && html`<p class="dim">${field.description.replaceAll("`", "")}</p>`}</div>`;
}

const isNumber = (field) => field.type === "number" || field.type === "integer";

/** What was filled in, as JSON. Lists and objects are written as JSON; a bare word in a list's place is a list of one. */
function given(fields, values) {
  const made = {};
  for (const field of fields) {
    const value = values[field.name]?.trim();
    if (!value) continue;
    if (isNumber(field)) made[field.name] = Number(value);
    else if (field.type === "boolean") made[field.name] = value === "true";
    else if (field.type === "array" && !value.startsWith("[")) made[field.name] = value.split(",").map((one) => one.trim());
    else if (field.type === "array" || field.type === "object") made[field.name] = JSON.parse(value);
    else made[field.name] = value;
  }
  return made;
}

// What runs on every upload, how; who is told; which models and tools are there.

import { call, get } from "./api.js";
import { paramsOf } from "./description.js";
import { ErrorBox } from "./error-box.js";
import { bytes } from "./format.js";
import { Icon } from "./icons.js";
import { html, useEffect, useState } from "./lib.js";
import { pipeline, stepTitle } from "./pipeline.js";
import { ParamsForm } from "./step-form.js";
import { useStore } from "./store.js";
import { toast, toastError } from "./toast.js";
import { Webhooks } from "./webhooks.js";

export function SettingsPage() {
  const [settings, setSettings] = useState(null);
  const [error, setError] = useState(null);
  const [asking, setAsking] = useState(null);
  const steps = useStore(pipeline);
  useEffect(() => {
    document.title = "Settings · Rushes";
    get("/settings/pipeline").then(setSettings, (failure) => setError(failure.error));
  }, []);
  if (error) return html`<div class="library"><h1>Settings</h1><${ErrorBox} error=${error} /></div>`;
  if (!settings || !steps.length) return html`<div class="library"><h1>Settings</h1><p class="dim">Reading…</p></div>`;
  const usual = new Set(settings.steps ?? steps.filter((row) => row.default).map((row) => row.step));
  const save = (changes) => {
    const { steps: chosen, params } = { ...settings, ...changes };
    return call("/settings/pipeline", { method: "PUT", body: { steps: chosen, params } }).then((now) => (setSettings(now), toast("Saved")));
  };
  const toggle = async (row) => {
    const { step } = row;
    const next = new Set(usual);
    if (!next.delete(step)) {
      const missing = (await paramsOf(row.path).catch(() => [])).find((field) => field.default === "" && !settings.params[step]?.[field.name]);
      if (missing) return setAsking({ ...row, missing: missing.name }); // it would fail on every upload
      next.add(step);
    }
    return save({ steps: steps.map((row) => row.step).filter((one) => next.has(one)) }).catch(toastError);
  };
  const keep = ({ step, missing }, params) => {
    if (missing && !params[missing]) throw new Error(`${missing.replaceAll("_", " ")} is needed`);
    const chosen = missing ? { steps: steps.map((row) => row.step).filter((one) => usual.has(one) || one === step) } : {};
    return save({ ...chosen, params: without(settings.params, step, params) });
  };
  return html`<div class="library settings">
    <header class="page-head"><a class="plain back" href="#/" aria-label="All recordings"><${Icon} name="back" /></a><h1>Settings</h1></header>
    <section aria-labelledby="on-upload">
      <div class="list-bar"><h2 id="on-upload" class="section">On every upload</h2><span class="grow"></span>
        <button type="button" class="button" disabled=${settings.steps === null} onClick=${() => save({ steps: null }).catch(toastError)}>As delivered</button></div>
      <ul class="rows">${steps.map((row) => html`<${StepSetting} key=${row.step} row=${row} on=${usual.has(row.step)} params=${settings.params[row.step] ?? {}}
        onToggle=${() => toggle(row)} onSet=${() => setAsking(row)} />`)}</ul>
      <p class="dim">What a chosen step needs runs as well. Recordings of up to ${bytes(settings.max_input_bytes)} are taken in; your operator can change that.</p>
    </section>
    <${Webhooks} />
    <${Models} />
    <${Health} />
    ${asking && html`<${ParamsForm} key=${asking.step} title=${stepTitle(asking.step)} path=${asking.path} first=${settings.params[asking.step] ?? {}} words="Save"
      onClose=${() => setAsking(null)} onSend=${(params) => keep(asking, params)} />`}
  </div>`;
}

function without(all, step, params) {
  const { [step]: _, ...others } = all;
  return Object.keys(params).length ? { ...others, [step]: params } : others;
}

function StepSetting({ row, on, params, onToggle, onSet }) {
  const told = Object.entries(params).map(([name, value]) => `${name.replaceAll("_", " ")}: ${typeof value === "object" ? JSON.stringify(value) : value}`);
  return html`<li class="row setting">
    <label class="check"><input type="checkbox" checked=${on} onChange=${onToggle} /> ${row.title}</label>
    <span class="row-about dim">${told.join(" · ")}</span>
    <button type="button" class="plain" aria-label=${`${row.title}: settings`} onClick=${onSet}><${Icon} name="more" size=${14} /></button>
  </li>`;
}

const STATES = { installed: "installed", damaged: "damaged", absent: "not installed" };

function Models() {
  const [models, setModels] = useState([]);
  useEffect(() => {
    get("/models").then((told) => setModels(told.models), toastError);
  }, []);
  return html`<section aria-labelledby="models">
    <h2 id="models" class="section">Models</h2>
    <ul class="rows">${models.map((row) => html`<li key=${row.name} class="row model">
      <span class="row-name">${row.name}</span><span class="row-about dim">${[FOR[row.family], row.multilingual && "many languages", row.licence].filter(Boolean).join(" · ")}</span>
      <span class="row-size dim">${row.bytes ? bytes(row.bytes) : ""}</span><span class=${`row-state ${row.state === "installed" ? "done" : row.state === "damaged" ? "failed" : ""}`}>${STATES[row.state]}</span></li>`)}</ul>
    <p class="dim">Installed on the machine that runs the steps: <code>rushes models install NAME</code>. Which one hears words is a setting of the server (<code>VIDEO_CAPTIONS_MODEL</code>); which one separates, of Stems.</p>
  </section>`;
}

const HEALTH = { ok: ["there", "done"], slow: ["slow to answer", "degraded"] };

/** What the server's machine has of the tools and packages that steps lean on. */
function Health() {
  const [found, setFound] = useState(null);
  useEffect(() => {
    get("/health").then((told) => setFound(Object.entries(told.dependencies)), toastError);
  }, []);
  const missing = (found ?? []).filter(([, one]) => one.status !== "ok");
  return html`<section aria-labelledby="health">
    <h2 id="health" class="section">This server</h2>
    ${found && html`<p class="dim">${missing.length ? `${found.length - missing.length} of ${found.length} tools and packages answer.` : `All ${found.length} tools and packages that steps lean on are there.`}</p>`}
    <details><summary>Tools and packages</summary><ul class="rows">${(found ?? []).map(([name, one]) => html`<li key=${name} class="row model">
      <span class="row-name">${name}</span><span class="row-about dim">${one.error ?? ""}</span><span class="row-size dim">${one.version ?? ""}</span>
      <span class=${`row-state ${(HEALTH[one.status] ?? ["", "failed"])[1]}`}>${(HEALTH[one.status] ?? ["missing"])[0]}</span></li>`)}</ul></details>
  </section>`;
}

const FOR = { whisper: "hears words", demucs: "separates", resemblyzer: "tells voices apart" };

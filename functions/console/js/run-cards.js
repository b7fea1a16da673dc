// What is under way, and what failed within a day, until somebody has seen it.

import { call } from "./api.js";
import { ErrorBox } from "./error-box.js";
import { ago, count } from "./format.js";
import { Icon } from "./icons.js";
import { cx, html } from "./lib.js";
import { refresh, settled } from "./live.js";
import { stepTitle } from "./pipeline.js";
import { StepStrip, stateWords } from "./steps.js";
import { toastError } from "./toast.js";

const SHOWN = 3;
const DAY_S = 86_400;

/** Note with the runs that somebody has seen them: nobody is shown them any more. */
const dismiss = (list) =>
  Promise.all(list.map((run) => call(`/runs/${run.run_id}/dismissed`, { method: "PUT" }))).then(refresh, toastError);

export function RunCards({ list, rows }) {
  const names = new Map((rows ?? []).map((row) => [row.asset_id, row.name]));
  const nameOf = (run) => {
    const step = /^reprocess (\S+)$/.exec(run.source)?.[1];
    return step ? `${names.get(run.asset_id) ?? "A recording"}: ${stepTitle(step)}` : run.source;
  };
  const active = (list ?? []).filter((run) => !settled(run));
  const failed = (list ?? []).filter((run) => run.state === "failed" && Date.now() / 1000 - run.created_at < DAY_S && !run.dismissed);
  const cards = (runs) => html`<ul class="runs">${runs.slice(0, SHOWN).map((run) => html`<${Card} key=${run.run_id} run=${run} name=${nameOf(run)} />`)}</ul>
    ${runs.length > SHOWN && html`<p class="dim">and ${count(runs.length - SHOWN, "more run")}</p>`}`;
  return html`
    ${active.length > 0 && html`<section aria-labelledby="runs"><h2 id="runs" class="section">Under way <span class="dim">${active.length}</span></h2>${cards(active)}</section>`}
    ${failed.length > 0 && html`<section aria-labelledby="failed-runs">
      <div class="list-bar"><h2 id="failed-runs" class="section">Failed <span class="dim">${failed.length}</span></h2><span class="grow"></span>
        ${failed.length > 1 && html`<button type="button" class="button" onClick=${() => dismiss(failed)}>Dismiss all</button>`}</div>
      ${cards(failed)}</section>`}`;
}

function Card({ run, name }) {
  const refused = !run.asset_id && run.state === "failed";
  const errors = run.error ? [{ error: run.error }] : run.steps.filter((step) => step.error);
  return html`<li class=${cx("run", run.state)} data-run=${run.run_id}>
    <div class="run-head">
      ${run.asset_id ? html`<a href=${`#/assets/${run.asset_id}`}>${name}</a>` : html`<span>${name}</span>`}
      <span class="dim">${ago(run.created_at)}</span><span class="grow"></span>
      <span class=${cx("row-state", run.state)}>${refused ? "refused" : stateWords(run.state)}</span>
      ${run.state === "failed" && html`<button type="button" class="plain" aria-label=${`Dismiss ${name}`} onClick=${() => dismiss([run])}><${Icon} name="close" size=${14} /></button>`}
    </div>
    ${!refused && html`<${StepStrip} steps=${run.steps} />`}
    ${errors.map((one) => html`<${ErrorBox} key=${one.step} error=${one.error} of=${one.step && !refused ? stepTitle(one.step) : ""} />`)}
  </li>`;
}

// Where the steps stand: as a strip of pills, and as a panel in which they can be run again.

import { reprocess } from "./api.js";
import { ErrorBox } from "./error-box.js";
import { ago, percent } from "./format.js";
import { stepTitle } from "./pipeline.js";
import { StepForm } from "./step-form.js";
import { Icon } from "./icons.js";
import { cx, html, useState } from "./lib.js";
import { track } from "./live.js";
import { toast, toastError } from "./toast.js";

const STATES = {
  queued: "waiting",
  running: "running",
  done: "done",
  cached: "known already",
  skipped: "not needed",
  degraded: "partly done",
  failed: "failed",
};

/** Of a long recording: how many of the step's parts are done. */
const partsDone = (step) => `${step.parts_done} of ${step.parts} parts`;
const ofParts = (step) => (step.parts ? `, ${partsDone(step)}` : "");

export const stateWords = (state) => STATES[state] ?? state;

/** One pill a step; while it runs it fills up. */
export function StepStrip({ steps }) {
  return html`<ul class="strip" aria-label="Steps">${steps.map((step) => {
    const words = step.state === "running" ? `running, ${percent(step.progress)}${ofParts(step)}` : stateWords(step.state);
    const why = step.reason ? `: ${step.reason}` : "";
    return html`<li key=${step.step} class=${cx("pill", step.state)} data-step=${step.step} title=${`${stepTitle(step.step)}: ${words}${why}`}
      style=${{ "--p": step.state === "running" ? step.progress : 1 }}>
      <span>${stepTitle(step.step)}</span><span class="visually-hidden">: ${words}</span></li>`;
  })}</ul>`;
}

/** All steps of a recording: the newest state of each, what went wrong, and the way to do it again. */
export function StepsPanel({ data, pipeline }) {
  const assetId = data.asset.asset_id;
  const known = [...data.last.keys()].filter((step) => step !== "probe");
  const more = pipeline.filter((row) => !data.last.has(row.step) && takes(row, data.asset.media));
  const [asking, setAsking] = useState(null);
  const runAgain = (step) => {
    const { run: last } = data.last.get(step);
    const on = last.artifact_id ? { artifact_id: last.artifact_id } : {};
    reprocess(assetId, step, last.params?.[step] ?? {}, { force: true, ...on }).then((run) => (toast(`${stepTitle(step)} runs again`), track(run.run_id)), toastError);
  };
  return html`<div class="steps-panel">
    <ul class="rows">${known.map((step) => html`<${StepRow} key=${step} step=${step} last=${data.last.get(step)} onAgain=${() => runAgain(step)} onSet=${() => setAsking(step)} />`)}</ul>
    ${more.length > 0 && html`<h2 class="section">More that can be done</h2>
      <ul class="more">${more.map((row) => html`<li key=${row.step}><button type="button" class="button" onClick=${() => setAsking(row.step)}>${stepTitle(row.step)}…</button></li>`)}</ul>`}
    ${asking && html`<${StepForm} key=${asking} assetId=${assetId} step=${asking} path=${pipeline.find((row) => row.step === asking)?.path} onClose=${() => setAsking(null)} />`}
  </div>`;
}

const takes = (row, media) =>
  ({ audio: media.audio?.length > 0, video: media.video?.length > 0, pattern: isPattern(media), any: !isPattern(media) })[row.takes];
const isPattern = (media) => ["pattern", "midi"].includes(media.container);

function StepRow({ step, last, onAgain, onSet }) {
  const { row, run } = last;
  const busy = row.state === "queued" || row.state === "running";
  return html`<li class="row step" data-step=${step}>
    <span class=${cx("state-dot", row.state)}></span>
    <span class="row-name">${stepTitle(step)}</span>
    <span class=${cx("row-state", row.state)}>${stateWords(row.state)}</span>
    <span class="row-about dim">${row.state === "running" && row.parts ? partsDone(row) : (row.reason ?? "")}</span>
    <span class="row-when dim">${ago(run.created_at)}</span>
    ${row.state === "running"
      ? html`<progress max="1" value=${row.progress} aria-label=${`${stepTitle(step)}: ${percent(row.progress)}`}></progress>`
      : html`<span class="row-tools">
          <button type="button" class="plain" aria-label=${`${stepTitle(step)}: run again`} title="Run again" disabled=${busy} onClick=${onAgain}><${Icon} name="again" size=${14} /></button>
          <button type="button" class="plain" aria-label=${`${stepTitle(step)}: run with other settings`} title="Run with other settings" disabled=${busy} onClick=${onSet}><${Icon} name="more" size=${14} /></button>
        </span>`}
    ${row.error && html`<${ErrorBox} error=${row.error} onAgain=${onAgain} />`}
  </li>`;
}

// All recordings, what is being uploaded, what runs, and what was given up.

import { all, get, post } from "./api.js";
import { DropZone } from "./dropzone.js";
import { ErrorBox } from "./error-box.js";
import { ago, assetName, bytes, count, mediaWords, percent, time } from "./format.js";
import { Icon } from "./icons.js";
import { cx, html, useEffect, useMemo, useState } from "./lib.js";
import { onFinished, runs, settled } from "./live.js";
import { stepTitle } from "./pipeline.js";
import { StepStrip, stateWords } from "./steps.js";
import { useStore } from "./store.js";
import { toast, toastError } from "./toast.js";
import { again, cancel, dismiss, uploads } from "./uploads.js";

export function Library() {
  const [assets, setAssets] = useState(null);
  const [failure, setFailure] = useState(null);
  const list = useStore(runs);
  useEffect(() => {
    document.title = "Rushes";
    const read = () => all("/assets", "assets").then((found) => (setAssets(found), setFailure(null)), setFailure);
    read();
    return onFinished(read);
  }, []);
  // A recording can be looked at as soon as probing has made it, long before its run has finished.
  const known = (list ?? []).map((run) => run.asset_id).filter(Boolean).join();
  useEffect(() => {
    if (assets && known.split(",").some((id) => id && !assets.some((one) => one.asset_id === id))) {
      all("/assets", "assets").then(setAssets, () => {});
    }
  }, [known]);

  const latest = useMemo(() => {
    const found = new Map();
    for (const run of list ?? []) if (!found.has(run.asset_id)) found.set(run.asset_id, run);
    return found;
  }, [list]);
  const rows = useMemo(() => {
    const age = (asset) => -(latest.get(asset.asset_id)?.created_at ?? 0);
    return [...(assets ?? [])].sort((a, b) => age(a) - age(b));
  }, [assets, latest]);
  const pending = useStore(uploads);
  const empty = assets && !assets.length && !pending.length && !(list ?? []).length;
  return html`<div class="library">
    <h1 class="visually-hidden">Recordings</h1>
    <${DropZone} large=${empty} />
    <${Uploads} list=${pending} />
    <${Runs} list=${list} assets=${assets} />
    ${failure && html`<${ErrorBox} error=${failure.error ?? { message: failure.message }} />`}
    ${!assets && !failure && html`<div class="rows loading" aria-busy="true" aria-label="Reading recordings">${[1, 2, 3].map((at) => html`<div key=${at} class="row ghost"></div>`)}</div>`}
    ${rows.length > 0 && html`<section aria-labelledby="recordings">
      <h2 id="recordings" class="section">Recordings <span class="dim">${rows.length}</span></h2>
      <ul class="rows">${rows.map((asset) => html`<${AssetRow} key=${asset.asset_id} asset=${asset} run=${latest.get(asset.asset_id)} />`)}</ul>
    </section>`}
    <${DeadLetters} />
  </div>`;
}

function AssetRow({ asset, run }) {
  const { media } = asset;
  const icon = media.video?.length ? "film" : media.audio?.length ? "wave" : "pattern";
  return html`<li><a class="row" href=${`#/assets/${asset.asset_id}`}>
    <span class=${`row-icon ${icon}`}><${Icon} name=${icon} size=${18} /></span>
    <span class="row-name">${assetName(asset)}</span>
    <span class="row-time">${media.duration_ms == null ? "" : time(media.duration_ms, 0)}</span>
    <span class="row-about dim">${mediaWords(media).join(" · ")}</span>
    <span class="row-size dim">${bytes(asset.bytes)}</span>
    <span class="row-when dim">${run ? ago(run.created_at) : ""}</span>
    <span class=${cx("row-state", run?.state)}>${run ? stateWords(run.state) : ""}</span>
  </a></li>`;
}

function Uploads({ list }) {
  const shown = list.filter((one) => one.state !== "done" && one.state !== "cancelled");
  if (!shown.length) return null;
  return html`<section aria-labelledby="uploads">
    <h2 id="uploads" class="section">Uploads</h2>
    <ul class="rows">${shown.map((one) => html`<li key=${one.key} class="row upload">
      <span class="row-icon"><${Icon} name="upload" size=${18} /></span>
      <span class="row-name">${one.name}</span>
      ${one.state === "failed"
        ? html`<${ErrorBox} error=${one.error} onAgain=${() => again(one.key)} onClose=${() => dismiss(one.key)} />`
        : html`<progress max=${one.size || 1} value=${one.sent} aria-label=${`Uploading ${one.name}`}></progress>
          <span class="row-size dim">${percent(one.size ? one.sent / one.size : 0)} of ${bytes(one.size)}</span>
          <button type="button" class="plain" aria-label=${`Cancel ${one.name}`} onClick=${() => cancel(one.key)}><${Icon} name="close" size=${14} /></button>`}
    </li>`)}</ul>
  </section>`;
}

function Runs({ list, assets }) {
  const names = new Map((assets ?? []).map((asset) => [asset.asset_id, assetName(asset)]));
  const nameOf = (run) => {
    const step = /^reprocess (\S+)$/.exec(run.source)?.[1];
    return step ? `${names.get(run.asset_id) ?? run.asset_id}: ${stepTitle(step)}` : run.source;
  };
  const fresh = (list ?? []).filter((run) => !settled(run) || (run.state === "failed" && Date.now() / 1000 - run.created_at < 86_400));
  const shown = fresh.slice(0, 8);
  if (!shown.length) return null;
  return html`<section aria-labelledby="runs">
    <h2 id="runs" class="section">Runs <span class="dim">${count(fresh.filter((run) => !settled(run)).length, "under way", "under way")}</span></h2>
    <ul class="runs">${shown.map((run) => html`<li key=${run.run_id} class=${cx("run", run.state)} data-run=${run.run_id}>
      <div class="run-head">
        ${run.asset_id ? html`<a href=${`#/assets/${run.asset_id}`}>${nameOf(run)}</a>` : html`<span>${run.source}</span>`}
        <span class="dim">${ago(run.created_at)}</span><span class="grow"></span>
        <span class=${cx("row-state", run.state)}>${stateWords(run.state)}</span>
      </div>
      <${StepStrip} steps=${run.steps} />
      ${run.error ? html`<${ErrorBox} error=${run.error} />` : run.steps.filter((step) => step.error).map((step) => html`<${ErrorBox} key=${step.step} error=${step.error} of=${stepTitle(step.step)} />`)}
    </li>`)}</ul>
  </section>`;
}

function DeadLetters() {
  const [letters, setLetters] = useState([]);
  const read = () => get("/dead-letters").then((page) => setLetters(page.dead_letters), () => {});
  useEffect(() => {
    read();
    return onFinished(read);
  }, []);
  const send = (letter) =>
    post(`/dead-letters/${letter.letter_id}/redrive`).then(() => (toast("Sent again"), read()), toastError);
  if (!letters.length) return null;
  return html`<section aria-labelledby="given-up">
    <h2 id="given-up" class="section">Given up <span class="dim">${letters.length}</span></h2>
    <div class="stack">${letters.map((letter) => html`<${ErrorBox} key=${letter.letter_id} error=${letter.error ?? { code: letter.code, message: letter.code }}
      of=${letter.step ? stepTitle(letter.step) : "A message"} note=${letter.redriven ? `sent again ${letter.redriven} ×` : ""}
      againWords="Send again" onAgain=${letter.topic ? () => send(letter) : null} />`)}</div>
  </section>`;
}

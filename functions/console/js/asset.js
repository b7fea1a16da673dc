// One recording: its picture, its time axis with layers, and panels for what can be done with it.

import { call, contentOf, downloadOf, jsonOf, mediaOf, resultsOf } from "./api.js";
import { readAsset } from "./asset-data.js";
import { CommentsPanel, useComments } from "./comments.js";
import { CutsPanel } from "./cuts.js";
import { EffectsPanel } from "./effects-panel.js";
import { ErrorBox } from "./error-box.js";
import { FacesPanel } from "./faces.js";
import { FilesPanel } from "./files.js";
import { assetName, bytes, mediaWords } from "./format.js";
import { Icon } from "./icons.js";
import { Inspector } from "./inspector.js";
import { useKeys } from "./keys.js";
import { lanesOf } from "./layers.js";
import { cx, html, useEffect, useMemo, useState } from "./lib.js";
import { onFinished, runs, settled } from "./live.js";
import { MixPanel, stemGroups } from "./mixer.js";
import { LONGEST_DECODED_MS, outlineOf, readPeaks } from "./peaks.js";
import { pipeline } from "./pipeline.js";
import { Player } from "./player.js";
import { ShareDialog } from "./share.js";
import { StepStrip, StepsPanel } from "./steps.js";
import { kept, useStore } from "./store.js";
import { Tabs } from "./tabs.js";
import { TimeAxis } from "./time-axis.js";
import { toast, toastError } from "./toast.js";
import { TranscriptPanel } from "./transcript.js";
import { Transport } from "./transport.js";
import { Viewer, isStill, versionsOf } from "./viewer.js";

/** Layer -> false where it is switched off. */
const layers = kept("layers", {});

export function AssetPage({ assetId }) {
  const [data, setData] = useState(null);
  const [failure, setFailure] = useState(null);
  useEffect(() => {
    const abort = new AbortController();
    const read = () =>
      readAsset(assetId, abort.signal).then(
        (found) => (setData(found), setFailure(null)),
        (error) => abort.signal.aborted || setFailure(error),
      );
    read();
    const stop = onFinished((run) => run.asset_id === assetId && read());
    const steps = followSteps(assetId, read);
    return () => (abort.abort(), stop(), steps());
  }, [assetId]);
  useEffect(() => {
    document.title = data ? `${assetName(data.asset)} · Rushes` : "Rushes";
  }, [data]);
  if (failure && !data) {
    return html`<div class="asset-missing"><${ErrorBox} error=${failure.error ?? { message: failure.message }} /><a class="button" href="#/">All recordings</a></div>`;
  }
  return data ? html`<${Loaded} data=${data} />` : html`<div class="asset-loading" aria-busy="true" aria-label="Reading the recording"><div class="ghost head"></div><div class="ghost body"></div></div>`;
}

/** While a run works, its results come one by one: read again whenever a step has settled. */
function followSteps(assetId, read) {
  const settledSteps = (list) =>
    (list ?? []).filter((run) => run.asset_id === assetId).flatMap((run) => run.steps.filter(settled)).length;
  let before = settledSteps(runs.get());
  let timer = 0;
  const stop = runs.subscribe((list) => {
    const now = settledSteps(list);
    if (now <= before) return;
    before = now;
    clearTimeout(timer);
    timer = setTimeout(read, 400);
  });
  return () => (stop(), clearTimeout(timer));
}

function Loaded({ data }) {
  const { asset, found } = data;
  const player = useMemo(() => new Player(), []);
  const [selected, setSelected] = useState(null);
  const versions = useMemo(() => versionsOf(data), [data]);
  const [versionId, setVersionId] = useState("original");
  const version = versions.find((one) => one.id === versionId) ?? versions[0];
  const [heardMs, setHeardMs] = useState(null);
  const durationMs = asset.media.duration_ms ?? heardMs;
  const lanes = useMemo(() => lanesOf(found), [found]);
  const switched = useStore(layers);
  const shown = lanes.filter((lane) => switched[lane.id] !== false);
  const peaks = usePeaks(data, versions[0], durationMs);
  const steps = useStore(pipeline);
  const comments = useComments(asset.asset_id);
  const hasVideo = asset.media.video?.length > 0;
  const recorded = asset.media.audio?.length > 0;
  const hasSound = recorded || versions[0]?.sounds;

  const pick = (item) => {
    const playing = player.state.get();
    setSelected(item);
    if (playing.clip?.id === item.id && playing.playing) player.pause();
    else if (item.artifact) player.playClip(item, contentOf(item.artifact));
    else player.playRange(item);
  };
  const [wanted, setWanted] = useState(null);
  const hear = (id) => (setVersionId(id), setWanted(id));
  useEffect(() => {
    if (!wanted || version?.id !== wanted) return; // it comes with the next reading
    setWanted(null);
    player.useMix(null);
    player.play();
  }, [wanted, version?.id]);
  const select = (item) => {
    setSelected(item);
    player.seek(item.startMs);
  };
  const toggleLayer = (lane) => layers.set((now) => ({ ...now, [lane.id]: now[lane.id] === false }));
  useKeys(player, durationMs, (at) => lanes[at] && toggleLayer(lanes[at]));
  useEffect(() => () => player.pause(), [player]);

  const words = found.words?.json.words.length > 0;
  const cut = recorded && steps.some((row) => row.step === "edit.cut") && ["cuts", "Cut", html`<${CutsPanel} data=${data} player=${player} />`];
  const tabs = [
    found.transcript && ["transcript", "Transcript", html`<${TranscriptPanel} data=${data} player=${player} />`],
    words && cut,
    found.regions && ["faces", "Faces", html`<${FacesPanel} data=${data} player=${player} onWatch=${setVersionId} />`],
    hasSound && ["mix", "Stems & mix", html`<${MixPanel} data=${data} player=${player} pipeline=${steps} />`, stemGroups(data).length],
    recorded && ["effects", "Effects", html`<${EffectsPanel} data=${data} player=${player} version=${version} onHear=${hear} />`],
    !words && cut,
    durationMs > 0 && ["comments", "Comments", html`<${CommentsPanel} comments=${comments} player=${player} />`, comments.list?.length],
    ["files", "Files", html`<${FilesPanel} data=${data} />`],
    ["steps", "Steps", html`<${StepsPanel} data=${data} pipeline=${steps} />`],
  ].filter(Boolean);

  return html`<article class="asset" aria-labelledby="asset-name">
    <${Head} data=${data} />
    <div class=${cx("stage", hasVideo && "with-video")}>
      <${Viewer} asset=${asset} version=${version} found=${found} player=${player} showFaces=${switched.faces !== false}
        showWords=${switched.words !== false} onFace=${(trackId) => pick(lanes.find((lane) => lane.id === "faces").items.find((one) => one.trackId === trackId))}
        onDuration=${setHeardMs} />
      <${Inspector} item=${selected} data=${data} player=${player} onPick=${pick} onClear=${() => setSelected(null)} />
    </div>
    ${lanes.length > 0 && html`<${LayerSwitches} lanes=${lanes} switched=${switched} onToggle=${toggleLayer} />`}
    ${durationMs > 0 && html`<${TimeAxis} durationMs=${durationMs} lanes=${shown} peaks=${peaks} sounds=${Boolean(hasSound)} player=${player}
      selected=${selected} onPick=${pick} onSelect=${select} filmUrl=${hasVideo ? mediaOf(asset.asset_id) : null} />`}
    <${Tabs} label="Panels" name="panel" tabs=${tabs} />
    <${Transport} player=${player} durationMs=${durationMs} versions=${versions} version=${version} onVersion=${setVersionId}
      still=${isStill(version)} verb=${isStill(version) ? "Show" : !hasVideo ? "Listen to" : hasSound ? "Play" : "Watch"} />
  </article>`;
}

function Head({ data }) {
  const { asset } = data;
  const list = useStore(runs);
  const [sharing, setSharing] = useState(false);
  const active = (list ?? []).filter((run) => run.asset_id === asset.asset_id && !settled(run));
  const erase = async () => {
    if (!confirm(`Erase ${assetName(asset)} and everything made from it, for good?`)) return;
    try {
      await call(`/assets/${asset.asset_id}`, { method: "DELETE" });
      toast(`${assetName(asset)} is erased`);
      location.hash = "#/";
    } catch (failure) {
      toastError(failure);
    }
  };
  return html`<header class="asset-head">
    <a class="plain back" href="#/" aria-label="All recordings"><${Icon} name="back" /></a>
    <div class="asset-title"><h1 id="asset-name">${assetName(asset)}</h1>
      <p class="dim">${[...mediaWords(asset.media), bytes(asset.bytes)].join(" · ")}</p></div>
    <span class="grow"></span>
    <a class="button" aria-label="Original" href=${downloadOf(mediaOf(asset.asset_id))} download><${Icon} name="download" size=${14} /> <span>Original</span></a>
    ${data.artifacts.size > 0 && html`<a class="button primary" aria-label="All results" href=${resultsOf(asset.asset_id)} download><${Icon} name="zip" size=${14} /> <span>All results</span></a>`}
    ${data.artifacts.size > 0 && html`<button type="button" class="plain" aria-label="Share by a link" title="Share by a link" onClick=${() => setSharing(true)}><${Icon} name="share" /></button>`}
    <button type="button" class="plain" aria-label="Erase this recording" title="Erase" onClick=${erase}><${Icon} name="trash" /></button>
    ${active.map((run) => html`<${StepStrip} key=${run.run_id} steps=${run.steps} />`)}
    ${sharing && html`<${ShareDialog} assetId=${asset.asset_id} onClose=${() => setSharing(false)} />`}
  </header>`;
}

function LayerSwitches({ lanes, switched, onToggle }) {
  return html`<div class="layers" role="group" aria-label="Layers">${lanes.map((lane, at) => html`<button type="button" key=${lane.id} class="layer"
    aria-pressed=${switched[lane.id] === false ? "false" : "true"} data-layer=${lane.id} style=${{ "--c": `var(--c-${lane.color})` }}
    title=${at < 9 ? `${lane.title} (${at + 1})` : lane.title} onClick=${() => onToggle(lane)}><i class="dot"></i>${lane.title}</button>`)}</div>`;
}

/** The waveform: decoded here where that can be done, else the outline that was heard on the server. */
function usePeaks(data, version, durationMs) {
  const [peaks, setPeaks] = useState(null);
  const { asset } = data;
  const activity = data.steps.get("detect.activity")?.artifacts.find((one) => one.kind === "audio_activity");
  useEffect(() => {
    if (!durationMs || !(asset.media.audio?.length > 0 || version?.sounds)) return undefined;
    const abort = new AbortController();
    const outline = () => activity && jsonOf(activity, abort.signal).then((heard) => setPeaks(outlineOf(heard.waveform)), () => {});
    if (durationMs > LONGEST_DECODED_MS) outline();
    else readPeaks(version.url, abort.signal).then(setPeaks, () => abort.signal.aborted || outline());
    return () => abort.abort();
  }, [asset.asset_id, version?.url, activity?.artifact_id, Boolean(durationMs)]);
  return peaks;
}

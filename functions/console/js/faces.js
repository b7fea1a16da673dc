// The faces that were found: each stays visible or is blurred, and the video is rendered again.

import { mediaOf, post } from "./api.js";
import { ErrorBox } from "./error-box.js";
import { count, percent, time } from "./format.js";
import { portrait } from "./film.js";
import { Icon } from "./icons.js";
import { faceName } from "./layers.js";
import { cx, html, useEffect, useRef, useState } from "./lib.js";
import { whenFinished } from "./live.js";
import { toast } from "./toast.js";

const PRESETS = { light: "Light", medium: "Medium", strong: "Strong", pixelate: "Pixels", solid: "Black" };

export function FacesPanel({ data, player, onWatch }) {
  const { regions, coverage } = data.found;
  const { tracks } = regions.json;
  const was = new Set((coverage?.json.tracks ?? []).filter((row) => row.action === "keep").map((row) => row.track_id));
  const [kept, setKept] = useState(was);
  const [preset, setPreset] = useState(coverage?.json.preset ?? "strong");
  const [working, setWorking] = useState(false);
  const [error, setError] = useState(null);
  const changed = preset !== coverage?.json.preset || kept.size !== was.size || [...kept].some((id) => !was.has(id));
  const result = data.steps.get("anonymise.faces")?.artifacts.find((one) => one.kind === "video_anonymised");
  if (!tracks.length) return html`<div class="empty"><p><strong>No faces were found</strong></p><p class="dim">So nothing is blurred. What no detector has found is in no list: for people at risk, watch the recording.</p></div>`;

  const set = (id, keep) =>
    setKept((now) => {
      const next = new Set(now);
      if (keep) next.add(id);
      else next.delete(id);
      return next;
    });
  const renderAgain = async () => {
    setWorking(true);
    setError(null);
    try {
      const run = await post("/video/anonymise/faces", { asset_id: data.asset.asset_id, preset, keep_track_ids: [...kept].sort() });
      const finished = await whenFinished(run.run_id);
      const step = finished.steps.find((one) => one.step === "anonymise.faces");
      if (step?.error) setError(step.error);
      else toast(step?.state === "skipped" ? `Nothing to render: ${step.reason}` : "The video is rendered again");
    } catch (failure) {
      setError(failure.error ?? { message: failure.message });
    }
    setWorking(false);
  };
  const doubts = coverage?.json.doubts ?? [];
  return html`<div class="faces-panel">
    <ul class="face-cards">${tracks.map((row) => html`<${FaceCard} key=${row.track_id} row=${row} data=${data} keep=${kept.has(row.track_id)} player=${player} onKeep=${(keep) => set(row.track_id, keep)} />`)}</ul>
    <div class="panel-bar">
      <label>Blur <select value=${preset} onChange=${(event) => setPreset(event.target.value)}>${Object.entries(PRESETS).map(([id, title]) => html`<option key=${id} value=${id}>${title}</option>`)}</select></label>
      <button type="button" class="button primary" disabled=${working || !changed} onClick=${renderAgain}>${working ? "Rendering…" : "Render again"}</button>
      ${result && html`<button type="button" class="button" onClick=${() => onWatch(result.artifact_id)}><${Icon} name="play" size=${14} /> Watch the result</button>`}
      <span class="dim">${result ? `${count(result.meta.frames_covered ?? 0, "frame")} covered` : ""}</span>
    </div>
    ${error && html`<${ErrorBox} error=${error} onClose=${() => setError(null)} />`}
    ${doubts.length > 0 && html`<div class="doubts"><h2>Look at these before you publish</h2><ul>${doubts.map((doubt, at) => html`<li key=${at}>
      ${doubt.time_ms != null && html`<button type="button" class="cue-time" onClick=${() => player.seek(doubt.time_ms)}>${time(doubt.time_ms, 1)}</button>`} ${doubt.reason}</li>`)}</ul></div>`}
  </div>`;
}

function FaceCard({ row, data, keep, player, onKeep }) {
  const canvas = useRef();
  const { json } = data.found.regions;
  useEffect(() => {
    const [best] = json.frames
      .flatMap((frame) => frame.regions.filter((one) => one.track_id === row.track_id).map((one) => ({ ...one, time_ms: frame.time_ms })))
      .sort((a, b) => b.confidence - a.confidence);
    if (!best) return;
    const box = { x: best.x / json.width, y: best.y / json.height, width: best.width / json.width, height: best.height / json.height };
    portrait(mediaOf(data.asset.asset_id), best.time_ms, box, canvas.current);
  }, [row.track_id]);
  const name = faceName(row.track_id);
  const play = () => player.playRange({ id: row.track_id, lane: "faces", startMs: row.start_ms, endMs: row.end_ms, title: name, facts: [] });
  return html`<li class=${cx("face-card", keep && "keep")} data-track=${row.track_id}>
    <button type="button" class="portrait" aria-label=${`${name}: play`} onClick=${play}><canvas ref=${canvas} aria-hidden="true"></canvas></button>
    <div><p class="face-name">${name}</p><p class="dim">${time(row.start_ms, 1)} – ${time(row.end_ms, 1)} · ${percent(row.mean_confidence)}</p>
      <div class="segmented" role="radiogroup" aria-label=${`${name}: blur or keep`}>${[[false, "Blur"], [true, "Keep"]].map(([value, words]) => html`<label key=${words}>
        <input type="radio" name=${`keep-${row.track_id}`} checked=${keep === value} onChange=${() => onKeep(value)} /><span>${words}</span></label>`)}</div></div>
  </li>`;
}

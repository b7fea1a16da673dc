// Who was seen: each person stays visible or is blurred, in every shot, and the video is rendered again.

import { mediaOf, post } from "./api.js";
import { ErrorBox } from "./error-box.js";
import { portrait } from "./film.js";
import { count, time } from "./format.js";
import { Icon } from "./icons.js";
import { faceName } from "./layers.js";
import { cx, html, useEffect, useRef, useState } from "./lib.js";
import { whenFinished } from "./live.js";
import { bestViews, lookAt, people } from "./people.js";
import { toast } from "./toast.js";

const PRESETS = { light: "Light", medium: "Medium", strong: "Strong", pixelate: "Pixels", solid: "Black" };
const SOFT_EDGE = 0.35;

export function FacesPanel({ data, player, onWatch }) {
  const { regions, coverage } = data.found;
  const { tracks } = regions.json;
  const result = data.steps.get("anonymise.faces")?.artifacts.find((one) => one.kind === "video_anonymised");
  const was = new Set((coverage?.json.tracks ?? []).filter((row) => row.action === "keep").map((row) => row.track_id));
  const [kept, setKept] = useState(was);
  const [preset, setPreset] = useState(coverage?.json.preset ?? "strong");
  const [soft, setSoft] = useState((result?.meta.soft_edge ?? 0) > 0);
  const [working, setWorking] = useState(false);
  const [error, setError] = useState(null);
  const [persons, looking, change] = usePeople(data);
  const changed = preset !== coverage?.json.preset || soft !== (result?.meta.soft_edge ?? 0) > 0 || kept.size !== was.size || [...kept].some((id) => !was.has(id));
  if (!tracks.length) return html`<div class="empty"><p><strong>No faces were found</strong></p><p class="dim">So nothing is blurred. What no detector has found is in no list: for people at risk, watch the recording.</p></div>`;

  const set = (ids, keep) =>
    setKept((now) => {
      const next = new Set(now);
      for (const id of ids) {
        if (keep) next.add(id);
        else next.delete(id);
      }
      return next;
    });
  const renderAgain = async () => {
    setWorking(true);
    setError(null);
    try {
      const wish = { preset, soft_edge: soft ? SOFT_EDGE : 0, keep_track_ids: [...kept].sort() };
      const run = await post("/video/anonymise/faces", { asset_id: data.asset.asset_id, ...wish });
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
    <p class="dim" role="status">${looking ? "Looking who is in several shots…" : persons.some((ids) => ids.length > 1) ? "One person, one tile, by looks: look at each before you keep one visible." : ""}</p>
    <ul class="face-cards">${persons.map((ids, at) => html`<${PersonCard} key=${ids[0]} number=${at + 1} ids=${ids} persons=${persons} data=${data} kept=${kept} player=${player}
      onKeep=${(keep) => set(ids, keep)} onChange=${change} />`)}</ul>
    <div class="panel-bar">
      <label>Strength <select value=${preset} onChange=${(event) => setPreset(event.target.value)}>${Object.entries(PRESETS).map(([id, title]) => html`<option key=${id} value=${id}>${title}</option>`)}</select></label>
      <label class="check"><input type="checkbox" checked=${soft} onChange=${(event) => setSoft(event.target.checked)} /> Soft edges</label>
      <button type="button" class="button primary" disabled=${working || !changed} onClick=${renderAgain}>${working ? "Rendering…" : "Render again"}</button>
      ${result && html`<button type="button" class="button" onClick=${() => onWatch(result.artifact_id)}><${Icon} name="play" size=${14} /> ${result.content_type.startsWith("image/") ? "Show" : "Watch"} the result</button>`}
      <span class="dim">${result ? `${count(result.meta.frames_covered ?? 0, "frame")} covered` : ""}</span>
    </div>
    ${error && html`<${ErrorBox} error=${error} onClose=${() => setError(null)} />`}
    ${doubts.length > 0 && html`<div class="doubts"><h2>Look at these before you publish</h2><ul>${doubts.map((doubt, at) => html`<li key=${at}>
      ${doubt.time_ms != null && data.asset.media.duration_ms > 0 && html`<button type="button" class="cue-time" onClick=${() => player.seek(doubt.time_ms)}>${time(doubt.time_ms, 1)}</button>`} ${doubt.reason}</li>`)}</ul></div>`}
  </div>`;
}

/** `[persons, looking, change]`: lists of track ids, by looks once all were looked at, and as people correct them. */
function usePeople(data) {
  const { json, artifact } = data.found.regions;
  const [persons, setPersons] = useState(() => json.tracks.map((row) => [row.track_id]));
  const [looking, setLooking] = useState(json.tracks.length > 1);
  const corrected = useRef(false);
  useEffect(() => {
    corrected.current = false;
    setPersons(json.tracks.map((row) => [row.track_id]));
    if (json.tracks.length < 2) return undefined;
    const abort = new AbortController();
    const looks = new Map();
    const done = () => {
      if (abort.signal.aborted) return;
      setLooking(false);
      if (!corrected.current) setPersons(people(json.tracks, looks));
    };
    lookAt(mediaOf(data.asset.asset_id), json, (id, look) => looks.set(id, look), abort.signal).then(done, () => setLooking(false));
    return () => abort.abort();
  }, [artifact.artifact_id]);
  const change = (next) => {
    corrected.current = true;
    setPersons(next);
  };
  return [persons, looking, change];
}

function PersonCard({ number, ids, persons, data, kept, player, onKeep, onChange }) {
  const rows = ids.map((id) => data.found.regions.json.tracks.find((row) => row.track_id === id)).sort((a, b) => a.start_ms - b.start_ms);
  const name = `Person ${number}`;
  const keeps = ids.filter((id) => kept.has(id)).length;
  const play = (row) => player.playRange({ id: row.track_id, lane: "faces", startMs: row.start_ms, endMs: row.end_ms, title: faceName(row.track_id), facts: [] });
  const apart = (id) => onChange(persons.flatMap((one) => (one.includes(id) ? [one.filter((other) => other !== id), [id]] : [one])));
  const join = (event) => {
    const [into, own] = [Number(event.target.value), persons.indexOf(ids)];
    onChange(persons.map((one, at) => (at === into ? [...one, ...ids] : one)).filter((_, at) => at !== own));
  };
  const others = persons.map((one, at) => [one, at]).filter(([one]) => one !== ids);
  return html`<li class=${cx("face-card", keeps === ids.length && "keep")} data-tracks=${ids.join(" ")}>
    <${Portrait} row=${rows[0]} data=${data} label=${`${name}: play`} onPlay=${play} />
    <div><p class="face-name">${name}</p>
      ${data.asset.media.duration_ms > 0 && html`<p class="dim">${rows.length > 1 ? `${count(rows.length, "shot")} · ` : ""}${time(rows[0].start_ms, 1)} – ${time(rows.at(-1).end_ms, 1)}</p>`}
      <div class="segmented" role="radiogroup" aria-label=${`${name}: blur or keep`}>${[[false, "Blur", keeps === 0], [true, "Keep", keeps === ids.length]].map(([value, words, on]) => html`<label key=${words}>
        <input type="radio" name=${`keep-${ids[0]}`} checked=${on} onChange=${() => onKeep(value)} /><span>${words}</span></label>`)}</div>
      ${others.length > 0 && html`<select class="same-as" aria-label=${`${name} is the same as`} value="" onChange=${join}><option value="">Same as…</option>
        ${others.map(([, at]) => html`<option key=${at} value=${at}>Person ${at + 1}</option>`)}</select>`}
    </div>
    ${rows.length > 1 && html`<ul class="shots-of">${rows.map((row) => html`<li key=${row.track_id}>
      <${Portrait} row=${row} data=${data} label=${`${name} at ${time(row.start_ms, 1)}: play`} onPlay=${play} />
      <button type="button" class="plain" aria-label=${`${faceName(row.track_id)} is somebody else`} title="Somebody else" onClick=${() => apart(row.track_id)}><${Icon} name="close" size=${12} /></button></li>`)}</ul>`}
  </li>`;
}

function Portrait({ row, data, label, onPlay }) {
  const canvas = useRef();
  useEffect(() => {
    const [best] = bestViews(data.found.regions.json, row.track_id, 1);
    if (best) portrait(mediaOf(data.asset.asset_id), best.time_ms, best.box, canvas.current);
  }, [row.track_id]);
  return html`<button type="button" class="portrait" aria-label=${label} onClick=${() => onPlay(row)}><canvas ref=${canvas} aria-hidden="true"></canvas></button>`;
}

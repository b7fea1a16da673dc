// A mix: tracks out of recordings and what was made of them, a role and a place for each, ducking, a
// preset and what it is made for. docs/mix.md says what a timeline may hold beyond this.

import { all, get, post } from "./api.js";
import { ErrorBox } from "./error-box.js";
import { Icon } from "./icons.js";
import { html, useEffect, useMemo, useState } from "./lib.js";
import { track as follow, whenFinished } from "./live.js";
import { kindTitle } from "./pipeline.js";
import { Slider } from "./slider.js";
import { toast } from "./toast.js";

const FORMATS = ["wav", "flac", "mp3", "aac", "opus"];
const GAIN = { name: "gain_db", display_name: "Level", minimum: -24, maximum: 12, default: 0, unit: "dB" };
const DUCK = { name: "duck", display_name: "Music gives way to voices by", minimum: 0, maximum: 24, default: 0, unit: "dB" };
const SOUNDS = new Set(["audio_normalised", "audio_stem", "audio_fx", "audio_macro", "audio_resampled", "pattern_render", "audio_loop", "audio_phrase"]);

let counted = 0;
const newTrack = (source, role) => ({ key: (counted += 1), source, role, startS: 0, gainDb: 0, fadeInMs: 0, fadeOutMs: 0 });

export function MixForm({ data, onMade }) {
  const [tables, setTables] = useState(null);
  const [others, setOthers] = useState([]);
  const [error, setError] = useState(null);
  const [working, setWorking] = useState(false);
  const [mix, setMix] = useState({ preset: "podcast_mix", duckDb: null, made: "podcast", format: "wav", stems: true });
  const [tracks, setTracks] = useState(() => firstTracks(data));
  useEffect(() => {
    get("/mixes").then(setTables, (failure) => setError(failure.error));
    all("/recordings", "recordings", undefined, { limit: 200 }).then(setOthers, () => {});
  }, []);
  const sources = useMemo(() => sourcesOf(data, others), [data, others]);
  if (!tables) return error ? html`<${ErrorBox} error=${error} />` : html`<p class="dim">Reading…</p>`;
  const buses = tables.mix_presets[mix.preset];
  const roles = [...new Set(buses.flatMap((bus) => bus.roles))];
  const music = buses.find((bus) => bus.roles.includes("music"));
  const duckDb = mix.duckDb ?? music?.duck?.amount_db ?? 0;
  const set = (changes) => setMix((now) => ({ ...now, ...changes }));
  const change = (key, changes) => setTracks((now) => now.map((one) => (one.key === key ? { ...one, ...changes } : one)));

  const make = async (event) => {
    event.preventDefault();
    setWorking(true);
    setError(null);
    try {
      const timeline = timelineOf(tracks, mix, mix.duckDb === null ? [] : [ducked(music, mix.duckDb)]);
      const run = await post("/audio/render", { asset_id: data.asset.asset_id, timeline, export_preset: mix.made, format: mix.format, stems_export: mix.stems });
      follow(run.run_id);
      const step = (await whenFinished(run.run_id)).steps.find((one) => one.step === "render.audio");
      if (step?.error) setError(step.error);
      else (toast(step?.reason ? `Mixed: ${step.reason}` : "The mix is made"), onMade());
    } catch (failure) {
      setError(failure.error ?? { message: failure.message });
    }
    setWorking(false);
  };
  const pick = (label, value, options, name) => html`<label class="pick"><span>${label}</span>
    <select value=${value} onChange=${(event) => set({ [name]: event.target.value })}>${options.map((one) => html`<option key=${one} value=${one}>${one.replaceAll("_", " ")}</option>`)}</select></label>`;
  return html`<form class="mix-form" aria-label="A new mix" onSubmit=${make}>
    <ol class="mix-tracks">${tracks.map((one, at) => html`<${TrackRow} key=${one.key} number=${at + 1} track=${one} sources=${sources} roles=${roles}
      onChange=${(changes) => change(one.key, changes)} onRemove=${tracks.length > 1 ? () => setTracks((now) => now.filter((other) => other !== one)) : null} />`)}</ol>
    <button type="button" class="button" onClick=${() => setTracks((now) => [...now, newTrack(sources[0]?.id, roles.includes("music") ? "music" : roles[0])])}><${Icon} name="plus" size=${14} /> Track</button>
    <div class="mix-whole">
      ${pick("Mix", mix.preset, Object.keys(tables.mix_presets), "preset")}
      ${pick("Made for", mix.made, Object.keys(tables.export_presets), "made")}
      ${pick("As", mix.format, FORMATS, "format")}
      <label class="check"><input type="checkbox" checked=${mix.stems} onChange=${(event) => set({ stems: event.target.checked })} /> a stem of each bus</label>
      ${music && html`<${Slider} knob=${{ ...DUCK, default: music.duck?.amount_db ?? 0 }} value=${duckDb} onChange=${(value) => set({ duckDb: value })} />`}
    </div>
    ${error && html`<${ErrorBox} error=${error} onClose=${() => setError(null)} />`}
    <div class="form-end"><button type="submit" class="button primary" disabled=${working}>${working ? "Mixing…" : "Mix"}</button></div>
  </form>`;
}

function TrackRow({ number, track, sources, roles, onChange, onRemove }) {
  const field = (label, name, step, value) => html`<label class="number"><span>${label}</span><input type="number" min="0" step=${step} value=${value}
    onInput=${(event) => onChange({ [name]: Math.max(0, Number(event.target.value) || 0) })} /></label>`;
  const role = roles.includes(track.role) ? track.role : roles[0];
  return html`<li class="mix-track" aria-label=${`Track ${number}`}>
    <label class="pick source"><span>Track ${number}</span><select value=${track.source} onChange=${(event) => onChange({ source: event.target.value })}>
      ${sources.map((one) => html`<option key=${one.id} value=${one.id}>${one.title}</option>`)}</select></label>
    <label class="pick"><span>Role</span><select value=${role} onChange=${(event) => onChange({ role: event.target.value })}>${roles.map((one) => html`<option key=${one} value=${one}>${one}</option>`)}</select></label>
    ${field("Starts, s", "startS", 0.1, track.startS)}
    ${field("Fade in, ms", "fadeInMs", 10, track.fadeInMs)}
    ${field("Fade out, ms", "fadeOutMs", 10, track.fadeOutMs)}
    <${Slider} knob=${GAIN} value=${track.gainDb} onChange=${(gainDb) => onChange({ gainDb })} />
    ${onRemove ? html`<button type="button" class="plain" aria-label=${`Remove track ${number}`} onClick=${onRemove}><${Icon} name="close" size=${14} /></button>` : html`<span></span>`}
  </li>`;
}

/** A stem each where the recording was separated, else the recording as it is. */
function firstTracks(data) {
  const stems = [...(data.steps.get("separate.stems")?.artifacts ?? [])].filter((one) => one.kind === "audio_stem");
  if (!stems.length) return [newTrack(data.asset.asset_id, data.found.transcript ? "vox" : "music")];
  const roles = { vocals: "vox", drums: "drums", bass: "bass" };
  return stems.map((one) => newTrack(one.artifact_id, roles[one.meta.stem] ?? "music"));
}

function sourcesOf(data, others) {
  const own = [...data.artifacts.values()].filter((one) => SOUNDS.has(one.kind) && one.content_type.startsWith("audio/"));
  return [
    { id: data.asset.asset_id, title: "This recording" },
    ...own.map((one) => ({ id: one.artifact_id, title: [kindTitle(one.kind), one.meta.stem ?? one.meta.preset_id ?? (/_\d+$/.test(one.meta.name) ? one.meta.name : "")].filter(Boolean).join(": ").replaceAll("_", " ") })),
    ...others.filter((row) => row.asset_id !== data.asset.asset_id && row.sample_rate_hz).map((row) => ({ id: row.asset_id, title: row.name })),
  ];
}

const ducked = (bus, amountDb) => ({ ...bus, duck: amountDb > 0 ? { ...bus.duck, under: ["bus_dialogue"], amount_db: amountDb } : null });

/** The API's timeline of what was filled in. */
export function timelineOf(tracks, mix, buses) {
  return {
    mix_preset_id: mix.preset,
    buses,
    tracks: tracks.map((one, at) => ({
      track_id: `track_${at + 1}`,
      role: one.role,
      gain_db: one.gainDb,
      clips: [{
        [one.source.startsWith("ast_") ? "asset_id" : "artifact_id"]: one.source,
        start_ms: one.startS * 1000,
        fade_in_ms: one.fadeInMs,
        fade_out_ms: one.fadeOutMs,
      }],
    })),
  };
}

// Effects and macros by name, with a slider for each knob; what they make is heard at once.

import { contentOf, downloadOf, get, reprocess } from "./api.js";
import { ErrorBox } from "./error-box.js";
import { time } from "./format.js";
import { Icon } from "./icons.js";
import { cx, html, useEffect, useMemo, useState } from "./lib.js";
import { whenFinished } from "./live.js";
import { Slider } from "./slider.js";

const EXCERPT_MS = 10_000; // as transform.fx makes them

/** What every effect has beside its own knobs; see docs/transforms.md. */
const MIX = [
  { name: "dry_wet", display_name: "Dry to wet", minimum: 0, maximum: 1, default: 1, unit: "" },
  { name: "gain_db", display_name: "Level", minimum: -24, maximum: 24, default: 0, unit: "dB" },
  { name: "tail_ms", display_name: "Tail", minimum: 0, maximum: 10_000, default: 0, unit: "ms" },
];

/** `onHear(artifactId)`: play that version from the playhead, and offer the original beside it. */
export function EffectsPanel({ data, player, version, onHear }) {
  const [listed, setListed] = useState(null);
  const [chosen, setChosen] = useState(null);
  const [error, setError] = useState(null);
  useEffect(() => {
    get("/presets").then(setListed, (failure) => setError(failure.error));
  }, []);
  const groups = useMemo(() => (listed ? grouped(listed) : []), [listed]);
  if (error) return html`<${ErrorBox} error=${error} />`;
  return html`<div class="effects">
    <div class="effect-list" role="group" aria-label="Effects">${groups.map(([title, rows]) => html`<section key=${title} aria-label=${title}>
      <h2 class="section">${title}</h2>
      <ul>${rows.map((row) => html`<li key=${row.id}><button type="button" class="effect" aria-pressed=${chosen?.id === row.id ? "true" : "false"}
        title=${row.does} onClick=${() => setChosen(row)}>${row.title}</button></li>`)}</ul></section>`)}</div>
    <div class="effect-form">
      ${chosen ? html`<${Knobs} key=${chosen.id} effect=${chosen} data=${data} player=${player} onHear=${onHear} />` : html`<p class="dim">Choose an effect, turn its knobs, and hear it on this recording.</p>`}
      <${Takes} data=${data} version=${version} onHear=${onHear} />
    </div>
  </div>`;
}

function grouped({ presets, macros }) {
  const groups = new Map();
  const add = (title, row) => groups.set(title, [...(groups.get(title) ?? []), row]);
  for (const row of macros) add("One knob", { ...row, macro: true });
  for (const row of presets) add(capital(row.category.replaceAll("_", " ")), row);
  return [...groups];
}

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

function Knobs({ effect, data, player, onHear }) {
  const [knobs, setKnobs] = useState(null);
  const [values, setValues] = useState({});
  const [working, setWorking] = useState(null);
  const [tried, setTried] = useState(null);
  const [error, setError] = useState(null);
  useEffect(() => {
    get(`/presets/${effect.id}`).then((told) => setKnobs(told.knobs), (failure) => setError(failure.error));
  }, [effect.id]);
  const set = (name, value) => setValues((now) => ({ ...now, [name]: value }));
  const make = async (what, params, then) => {
    setWorking(what);
    setError(null);
    try {
      then(await made(effect, data, knobs, values, params));
    } catch (failure) {
      setError(failure.error ?? { message: failure.message });
    }
    setWorking(null);
  };
  const hear = () => make("whole", {}, (artifact) => onHear(artifact.artifact_id));
  const excerpt = () => {
    const startMs = Math.round(excerptStart(player.recordingMs, data.asset.media.duration_ms));
    const item = { id: "excerpt", lane: "effects", startMs, endMs: startMs + EXCERPT_MS, facts: [] };
    make("excerpt", { excerpt_from_ms: startMs }, (artifact) => {
      setTried({ ...item, url: contentOf(artifact) });
      player.playClip({ ...item, title: `${effect.title}, tried` }, contentOf(artifact));
    });
  };
  const slider = (knob) => html`<${Slider} key=${knob.name} knob=${knob} value=${values[knob.name] ?? knob.default} onChange=${(value) => set(knob.name, value)} />`;
  return html`<section aria-label=${effect.title}>
    <h2>${effect.title}</h2><p class="dim">${effect.does}</p>
    <div class="knobs">${(knobs ?? []).map(slider)}</div>
    <details><summary>Blend, level and tail</summary><div class="knobs">${MIX.map(slider)}</div></details>
    ${error && html`<${ErrorBox} error=${error} onClose=${() => setError(null)} />`}
    <div class="tools"><button type="button" class="button primary" disabled=${working || !knobs} onClick=${excerpt}>
      <${Icon} name="play" size=${14} /> ${working === "excerpt" ? "Making ten seconds…" : "Try ten seconds"}</button>
      <button type="button" class="button" disabled=${working || !knobs} onClick=${hear}>${working === "whole" ? "Making it…" : "Make it whole"}</button>
      <button type="button" class="button" disabled=${!Object.keys(values).length} onClick=${() => setValues({})}>As it was</button></div>
    ${tried && html`<div class="panel-bar" role="group" aria-label="What was tried">
      <span class="dim">From ${time(tried.startMs, 1)}, ten seconds:</span>
      <button type="button" class="button" onClick=${() => player.playClip({ ...tried, title: `${effect.title}, tried` }, tried.url)}>With it</button>
      <button type="button" class="button" onClick=${() => player.playRange({ ...tried, title: "The same, without it" })}>Without it</button></div>`}
  </section>`;
}

/** Where ten seconds begin that lie in the recording. */
const excerptStart = (atMs, durationMs) => Math.max(0, Math.min(atMs, (durationMs ?? Infinity) - EXCERPT_MS));

/** Have the effect made, or found where it was made before; gives the sound. */
async function made(effect, data, knobs, values, more) {
  const own = Object.fromEntries(knobs.filter((knob) => knob.name in values).map((knob) => [knob.name, values[knob.name]]));
  const mix = Object.fromEntries(MIX.filter((knob) => knob.name in values).map((knob) => [knob.name, values[knob.name]]));
  const [step, params] = effect.macro
    ? ["transform.macro", { macro_id: effect.id, ...own, ...mix, ...more }]
    : ["transform.fx", { preset_id: effect.id, knobs: own, ...mix, ...more }];
  const run = await whenFinished((await reprocess(data.asset.asset_id, step, params)).run_id);
  const row = run.steps.find((one) => one.step === step);
  if (row.error) throw { error: row.error };
  return row.artifacts.find((one) => KINDS.has(one.kind) || one.kind === "audio_excerpt");
}

const KINDS = new Set(["audio_fx", "audio_macro"]);

/** What was made before: takes to choose from. */
function Takes({ data, version, onHear }) {
  const takes = [...data.artifacts.values()].filter((one) => KINDS.has(one.kind));
  if (!takes.length) return null;
  return html`<section aria-label="Takes"><h2 class="section">Takes <span class="dim">${takes.length}</span></h2>
    <ul class="rows">
      <li class=${cx("row take", version?.id === "original" && "on")}><button type="button" class="plain" aria-label="Hear the original" onClick=${() => onHear("original")}><${Icon} name="play" size=${14} /></button>
        <span class="row-name">Original</span></li>
      ${takes.map((one) => html`<li key=${one.artifact_id} class=${cx("row take", version?.id === one.artifact_id && "on")}>
        <button type="button" class="plain" aria-label=${`Hear ${takeName(one)}`} onClick=${() => onHear(one.artifact_id)}><${Icon} name="play" size=${14} /></button>
        <span class="row-name">${takeName(one)}</span>
        <a class="plain" aria-label=${`Download ${takeName(one)}`} href=${downloadOf(contentOf(one))} download><${Icon} name="download" size=${14} /></a></li>`)}
    </ul></section>`;
}

/** `Broadcast voice, warmth 5`: what was turned away from where it stood. */
export function takeName({ meta }) {
  const turned = Object.entries(meta.knob_values ?? {}).map(([name, value]) => `${name.replaceAll("_", " ")} ${Number(Number(value?.value ?? value).toFixed(2))}`);
  return [capital((meta.preset_id ?? "effect").replaceAll("_", " ")), ...turned].join(", ");
}

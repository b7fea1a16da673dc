// Stems side by side: solo, mute, a fader and a meter each, all on one clock.

import { contentOf, downloadOf, reprocess } from "./api.js";
import { useDrawing } from "./drawing.js";
import { count, decimal } from "./format.js";
import { Icon } from "./icons.js";
import { cx, html, useEffect, useMemo, useRef, useState } from "./lib.js";
import { track } from "./live.js";
import { MixForm } from "./mix-form.js";
import { Mix } from "./mix.js";
import { drawPeaks, peaksOf } from "./peaks.js";
import { useStore } from "./store.js";
import { toast, toastError } from "./toast.js";

/** `[{id, title, apart, tracks: [{artifact, name, master}]}]`; `apart`: it has a time axis of its own. */
export function stemGroups(data) {
  const groups = [];
  const stems = made(data, "separate.stems", "audio_stem");
  if (stems.length) groups.push({ id: "stems", title: "Stems of the recording", apart: false, tracks: stems.map((one) => ({ artifact: one, name: words(one.meta.stem) })) });
  const played = made(data, "perform.pattern", "pattern_render").filter((one) => one.content_type.startsWith("audio/"));
  if (played.length > 1) groups.push({ id: "played", title: "Instruments", apart: false, tracks: played.sort((a, b) => (a.meta.role === "master") - (b.meta.role === "master"))
    .map((one) => (one.meta.role === "master" ? { artifact: one, name: "Master", master: true } : { artifact: one, name: words(one.meta.instrument) })) });
  const buses = made(data, "render.audio", "audio_bus_stem");
  const [master] = made(data, "render.audio", "audio_render");
  if (buses.length || master) {
    const tracks = buses.map((one) => ({ artifact: one, name: words(one.meta.bus_id) }));
    if (master) tracks.push({ artifact: master, name: "Master", master: true });
    groups.push({ id: "mix", title: "Mix and its buses", apart: true, tracks });
  }
  return groups;
}

const made = (data, step, kind) => (data.steps.get(step)?.artifacts ?? []).filter((one) => one.kind === kind);
/** `bus_dialogue` -> `Dialogue`. */
const words = (name) => {
  const plain = (name ?? "stem").replace(/^bus_/, "").replaceAll("_", " ");
  return plain.charAt(0).toUpperCase() + plain.slice(1);
};

export function MixPanel({ data, player, pipeline }) {
  const groups = useMemo(() => stemGroups(data), [data]);
  const recorded = data.asset.media.audio?.length > 0;
  const canSeparate = recorded && pipeline.some((row) => row.step === "separate.stems");
  const separate = () =>
    reprocess(data.asset.asset_id, "separate.stems").then((run) => (track(run.run_id), toast("Separation runs; it takes about as long as the recording")), toastError);
  useEffect(() => () => player.useMix(null), [player]);
  const [asking, setAsking] = useState(false);
  return html`<div class="mixer">
    ${groups.map((group) => html`<${Group} key=${`${group.id}-${group.tracks[0].artifact.artifact_id}`} group=${group} player=${player} />`)}
    ${!groups.length && !asking && html`<div class="empty"><p><strong>No stems yet</strong></p>
      <p class="dim">Stems appear here once the recording is separated, or mixed with a stem of each bus.</p></div>`}
    <div class="panel-bar">
      ${canSeparate && !groups.some((group) => group.id === "stems") && html`<button type="button" class="button" onClick=${separate}>Separate into stems</button>`}
      ${recorded && html`<button type="button" class="button" aria-expanded=${asking ? "true" : "false"} onClick=${() => setAsking(!asking)}><${Icon} name="plus" size=${14} /> New mix</button>`}
    </div>
    ${asking && html`<${MixForm} data=${data} onMade=${() => setAsking(false)} />`}
  </div>`;
}

function Group({ group, player }) {
  const [mix, setMix] = useState(null);
  const [failed, setFailed] = useState(null);
  // The master has all of the buses in it: it is heard alone, by its own solo button.
  const [tracks, setTracks] = useState(() => group.tracks.map((one) => ({ solo: false, mute: Boolean(one.master) && group.tracks.length > 1, gainDb: 0 })));
  const { deck, playing } = useStore(player.state);
  const on = deck === "mix" && player.mix === mix && mix !== null;

  const load = async () => {
    try {
      const buffers = await Promise.all(group.tracks.map((one) => player.buffer(contentOf(one.artifact))));
      const made = new Mix(player, buffers);
      made.apart = group.apart;
      made.set(tracks);
      setMix(made);
      return made;
    } catch (failure) {
      setFailed(failure.message);
      return null;
    }
  };
  const toggle = async () => {
    if (on && playing) return player.pause();
    const ready = mix ?? (await load());
    if (!ready) return undefined;
    const at = player.positionMs;
    player.useMix(ready);
    if (!group.apart && !on) ready.seek(at);
    return player.play();
  };
  const change = (at, changes) =>
    setTracks((now) => {
      const next = now.map((one, place) => (place === at ? { ...one, ...changes } : one));
      if (group.tracks[at].master && changes.solo) next[at].mute = false;
      if (group.tracks[at].master && changes.solo === false) next[at].mute = group.tracks.length > 1;
      mix?.set(next);
      return next;
    });
  return html`<section class="mix-group" aria-label=${group.title}>
    <div class="panel-bar">
      <button type="button" class="button primary" aria-pressed=${on && playing ? "true" : "false"} onClick=${toggle}><${Icon} name=${on && playing ? "pause" : "play"} size=${14} /> ${group.title}</button>
      <span class="dim">${count(group.tracks.length, "track")}, together to the sample</span>
      ${failed && html`<span class="bad" role="alert">It cannot be played here: ${failed}</span>`}
    </div>
    <ul class="strips">${group.tracks.map((one, at) => html`<${Strip} key=${one.artifact.artifact_id} track=${one} at=${at} state=${tracks[at]} mix=${mix} on=${on} player=${player} onChange=${(changes) => change(at, changes)} />`)}</ul>
  </section>`;
}

function Strip({ track: one, at, state, mix, on, player, onChange }) {
  return html`<li class=${cx("strip-row", one.master && "master")} data-stem=${one.name}>
    <span class="strip-name">${one.name}</span>
    <button type="button" class="square mute" aria-pressed=${state.mute ? "true" : "false"} aria-label=${`Mute ${one.name}`} onClick=${() => onChange({ mute: !state.mute })}>M</button>
    <button type="button" class="square solo" aria-pressed=${state.solo ? "true" : "false"} aria-label=${`Solo ${one.name}`} onClick=${() => onChange({ solo: !state.solo })}>S</button>
    <input type="range" class="fader" min="-60" max="6" step="0.5" value=${state.gainDb} aria-label=${`Level of ${one.name}`} aria-valuetext=${`${decimal(state.gainDb)} dB`}
      onInput=${(event) => onChange({ gainDb: Number(event.target.value) })} onDblClick=${() => onChange({ gainDb: 0 })} />
    <span class="strip-db">${state.gainDb <= -60 ? "−∞" : decimal(state.gainDb)} dB</span>
    <${StemWave} mix=${mix} at=${at} player=${player} on=${on} name=${one.name} />
    <${Meter} mix=${mix} at=${at} player=${player} />
    <a class="plain" aria-label=${`Download ${one.name}`} title="Download" href=${downloadOf(contentOf(one.artifact))} download><${Icon} name="download" size=${14} /></a>
  </li>`;
}

function StemWave({ mix, at, player, on, name }) {
  const canvas = useRef();
  const head = useRef();
  const peaks = useMemo(() => (mix ? peaksOf(mix.buffers[at]) : null), [mix]);
  useDrawing(() => drawPeaks(canvas.current, peaks, 0, mix?.durationMs ?? 1), [peaks]);
  useEffect(
    () => player.onTick((ms) => head.current && (head.current.style.left = `${on ? (100 * ms) / mix.durationMs : 0}%`)),
    [player, on, mix],
  );
  const seek = (event) => {
    if (!mix || !on) return;
    const box = event.currentTarget.getBoundingClientRect();
    player.seek(((event.clientX - box.left) / box.width) * mix.durationMs);
  };
  return html`<div class="strip-wave" onClick=${seek}><canvas ref=${canvas} role="img" aria-label=${`Waveform of ${name}`}></canvas><i ref=${head} hidden=${!on}></i></div>`;
}

const METER_FLOOR_DB = -60;

function Meter({ mix, at, player }) {
  const bar = useRef();
  useEffect(() => {
    if (!mix) return undefined;
    const scratch = new Float32Array(1024);
    let level = METER_FLOOR_DB;
    return player.onTick(() => {
      if (!bar.current) return;
      const now = mix.playing ? mix.levelDbfs(at, scratch) : -Infinity;
      level = Math.max(now, level - 1.2, METER_FLOOR_DB); // falls 70 dB a second, as meters do
      if (!mix.playing) level = METER_FLOOR_DB;
      bar.current.style.transform = `scaleX(${1 - level / METER_FLOOR_DB})`;
    });
  }, [mix]);
  return html`<div class="meter" aria-hidden="true"><i ref=${bar}></i></div>`;
}

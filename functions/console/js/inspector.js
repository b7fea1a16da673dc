// What is chosen; when nothing is, what is known of the whole recording.

import { contentOf, downloadOf } from "./api.js";
import { count, decimal } from "./format.js";
import { Icon } from "./icons.js";
import { html } from "./lib.js";
import { useStore } from "./store.js";

export function Inspector({ item, data, player, onPick, onClear }) {
  const { playing, clip } = useStore(player.state);
  if (!item) return html`<aside class="inspector" aria-label="Overview"><${Overview} data=${data} /></aside>`;
  const mine = playing && clip?.id === item.id;
  return html`<aside class="inspector" aria-label="Chosen" aria-live="polite">
    <header><i class="dot" style=${{ "--c": `var(--c-${item.color ?? item.lane})` }}></i><h2>${item.title.replace(/, [\d:.]+ to [\d:.]+$/, "")}</h2>
      <button type="button" class="plain" aria-label="Close" onClick=${onClear}><${Icon} name="close" size=${14} /></button></header>
    <dl class="facts">${item.facts.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
    <div class="tools">
      <button type="button" class="button primary" onClick=${() => onPick(item)}><${Icon} name=${mine ? "stop" : "play"} size=${14} /> ${mine ? "Stop" : "Play"}</button>
      ${item.artifact && html`<a class="button" href=${downloadOf(contentOf(item.artifact))} download><${Icon} name="download" size=${14} /> WAV</a>`}
    </div>
  </aside>`;
}

function Overview({ data }) {
  const { found, asset } = data;
  const played = data.steps.get("perform.pattern")?.artifacts.find((one) => one.meta.role === "master")?.meta;
  const loudness = found.loudness?.json ?? played;
  const tempo = found.loops?.json.bpm ?? found.semantics?.json.tempi?.[0]?.bpm ?? played?.tempo;
  const pack = data.steps.get("sample.pack")?.artifacts.find((one) => one.kind === "audio_sample_pack");
  const cards = [
    loudness?.integrated_lufs != null && ["Loudness", decimal(loudness.integrated_lufs), "LUFS"],
    loudness?.true_peak_dbtp != null && ["True peak", decimal(loudness.true_peak_dbtp), "dBTP", loudness.true_peak_dbtp > 0 && "over 0: it clips"],
    loudness?.loudness_range_lu != null && ["Range", decimal(loudness.loudness_range_lu), "LU"],
    played?.peak_dbfs != null && ["Peak", decimal(played.peak_dbfs), "dBFS"],
    tempo && ["Tempo", decimal(tempo), "BPM"],
    played && ["Length", decimal(played.beats, 0), "beats"],
  ].filter(Boolean);
  const finds = [
    [found.hits?.json.segment_count, "hit"],
    [found.loops?.json.segment_count, "loop"],
    [found.phrases?.json.segment_count, "phrase"],
    [found.transcript?.json.words.length, "word"],
    [found.visual?.json.shots.length, "shot"],
    [found.regions?.json.tracks.length, "face"],
  ].filter(([number]) => number > 0);
  return html`${cards.length > 0 && html`<dl class="cards">${cards.map(([name, value, unit, warning]) => html`<div key=${name} class=${warning ? "warn" : ""} title=${warning || ""}>
      <dt>${name}</dt><dd>${value}<small> ${unit}</small></dd></div>`)}</dl>`}
    ${finds.length > 0 && html`<p class="finds">${finds.map(([number, word]) => count(number, word)).join(" · ")}</p>`}
    ${!data.steps.size && asset && html`<p class="dim">Nothing has been found yet; results come here one by one.</p>`}
    ${finds.length > 0 && asset.media.duration_ms > 0 && html`<p class="dim">Click what is marked to ${asset.media.audio?.length ? "hear" : "see"} it.</p>`}
    ${pack && html`<div class="tools"><a class="button" href=${downloadOf(contentOf(pack))} download><${Icon} name="package" size=${14} /> Sample pack, ${count(pack.meta.member_count ?? 0, "file")}</a></div>`}`;
}

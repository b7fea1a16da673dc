// Edit the words, the film follows: words, silences and fillers are left out, and the joins are heard at
// once, played from the original by the list of edits. Everything can be taken back.

import { contentOf, downloadOf, mediaOf, post } from "./api.js";
import { CutDeck, LONGEST_MS } from "./cut-deck.js";
import { useCutList } from "./cut-list.js";
import { CutWords } from "./cut-words.js";
import { ErrorBox } from "./error-box.js";
import { count, length, time } from "./format.js";
import { Icon } from "./icons.js";
import { html, useEffect, useMemo, useRef, useState } from "./lib.js";
import { whenFinished } from "./live.js";
import { toast } from "./toast.js";
import { joinsOf, keepsOf, toNewMs } from "./time-map.js";

const AROUND_MS = 1300; // of a join, to hear it
const EDGE_MS = 30;
const MOST_TEXT = 2000;
const FORMS = { otio: "Resolve, Kdenlive (OpenTimelineIO)", fcp7: "Premiere (FCP7 XML)", fcpxml: "Final Cut, Resolve (FCPXML)", edl: "EDL", labels: "Audacity labels" };
const REASONS = {
  silence: "Silences", filler: "Fillers", repeat: "Said twice", false_start: "False starts", breath: "Breaths", word: "Words", range: "Stretches",
  speaker: "Other speakers", phrase: "Other phrases", chapter: "Other chapters", privacy: "Privacy",
};

export function CutsPanel({ data, player }) {
  const words = data.found.words?.json.words ?? [];
  const listed = data.found.cuts?.artifact ?? null;
  const { kept, edits, change, undo, redo, saving } = useCutList(listed);
  const list = kept?.edit_list;
  const durationMs = list?.duration_ms ?? data.asset.media.duration_ms;
  const rate = list?.sample_rate_hz ?? data.asset.media.audio[0].sample_rate_hz;
  const left = (all) => keepsOf(all, durationMs, rate);
  const keeps = useMemo(() => left(edits), [edits, durationMs, rate]);
  const [working, setWorking] = useState(null);
  const [error, setError] = useState(null);
  const deck = useDeck(data, player, keeps, edits, setError);
  const made = ["render.video", "render.audio"].flatMap((step) => data.steps.get(step)?.artifacts ?? []).find((one) => one.meta.edit_list_version);
  const act = async (what, path, params, told) => {
    setWorking(what);
    setError(null);
    try {
      const run = await whenFinished((await post(path, { asset_id: data.asset.asset_id, ...params })).run_id);
      const failed = run.steps.find((step) => step.error);
      const asked = run.steps.at(-1);
      if (failed) setError(failed.error);
      else toast(asked.state === "skipped" ? `Nothing was made: ${asked.reason}` : told);
    } catch (failure) {
      setError(failure.error ?? { message: failure.message });
    }
    setWorking(null);
  };
  const find = (params) => act("find", "/audio/edit-list/make", { ...params, drop_word_indexes: dropped(edits, words) }, "The cuts are listed");
  const render = () => {
    const video = data.asset.media.video?.length > 0;
    act("render", video ? "/video/render" : "/audio/render", { edit_list: kept.artifact_id }, "It is rendered");
  };
  const cutWords = ([first, last]) => {
    const next = toggled(edits, words, first, last, durationMs);
    change(next.edits);
    if (next.cut) deck.hear(left(next.edits), next.edits, words[first].start_ms);
  };
  const turn = (those) => change(edits.map((one) => (those.includes(one) ? { ...one, taken_back: !one.taken_back } : one)));
  const onKeyDown = (event) => {
    if (event.key.toLowerCase() !== "z" || !(event.ctrlKey || event.metaKey) || event.target.closest("input")) return;
    event.preventDefault();
    (event.shiftKey ? redo : undo)?.();
  };
  return html`<div class="cuts" onKeyDown=${onKeyDown}>
    <${Rules} key=${kept?.edit_list_id} list=${list} byWords=${words.length > 0} working=${working} onFind=${find} />
    ${error && html`<${ErrorBox} error=${error} onClose=${() => setError(null)} />`}
    ${words.length > 0 && html`<p class="dim">Choose words by dragging, or with ⇧ and the arrows, and press Delete: the join is played at once.${kept ? "" : " They are kept once the cuts are listed."}</p>
      <${CutWords} words=${words} keeps=${keeps} silences=${edits.filter((one) => one.reason === "silence")} player=${player} onCut=${cutWords}
        onPlay=${(word) => deck.playFrom(word.start_ms)} onToggle=${(one) => turn([one])} />`}
    <div class="panel-bar cut-bar">
      <output>${time(durationMs, 1)} → <strong>${time(keeps.at(-1)?.newEndMs ?? 0, 1)}</strong></output>
      <span class="dim">${[count(joinsOf(keeps).length, "join"), kept && (saving ? "keeping…" : `version ${kept.version}`)].filter(Boolean).join(" · ")}</span>
      <button type="button" class="button" disabled=${!keeps.length || deck.loading} onClick=${deck.toggle}><${Icon} name=${deck.playing ? "pause" : "play"} size=${14} /> ${deck.loading ? "Decoding…" : deck.playing ? "Pause" : "Hear it cut"}</button>
      <button type="button" class="button" disabled=${!undo} onClick=${undo}>Undo</button>
      <button type="button" class="button" disabled=${!redo} onClick=${redo}>Redo</button>
      <span class="grow"></span>
      ${kept && html`<details class="menu"><summary class="button"><${Icon} name="download" size=${14} /> List</summary>
          <ul><li><a href=${downloadOf(`/artifacts/${kept.artifact_id}/content`)} download>JSON</a></li>
            ${Object.entries(FORMS).map(([form, words]) => html`<li key=${form}><a href=${`/edit-lists/${kept.edit_list_id}/${form}?version=${kept.version}`} download>${words}</a></li>`)}</ul></details>
        <button type="button" class="button primary" disabled=${working || saving || !keeps.length} onClick=${render}>${working === "render" ? "Rendering…" : "Render"}</button>`}
    </div>
    ${made && html`<${Made} one=${made} player=${player} />`}
    <${Reasons} edits=${edits} keeps=${keeps} onHear=${(one) => deck.hear(keeps, edits, one.start_ms)} onTurn=${turn} />
    ${(list?.notices ?? []).map((notice) => html`<p key=${notice} class="dim">${notice}</p>`)}
  </div>`;
}

/** What was rendered last, to be watched or heard, and taken home. */
function Made({ one, player }) {
  const url = contentOf(one);
  const stop = () => player.pause();
  return html`<figure class="made">${one.content_type.startsWith("video/") ? html`<video controls preload="metadata" src=${url} onPlay=${stop}></video>` : html`<audio controls preload="metadata" src=${url} onPlay=${stop}></audio>`}
    <figcaption class="dim">Rendered of version ${one.meta.edit_list_version} <a class="button small" href=${downloadOf(url)} download><${Icon} name="download" size=${12} /> Download</a></figcaption></figure>`;
}

/** What is taken out, by reason: how many, how much; each to be heard and taken back. */
function Reasons({ edits, keeps, onHear, onTurn }) {
  const groups = new Map();
  for (const one of edits) groups.set(one.reason, [...(groups.get(one.reason) ?? []), one]);
  const takes = (one) => (one.taken_back ? 0 : one.end_ms - one.start_ms - (toNewMs(keeps, one.end_ms) - toNewMs(keeps, one.start_ms)));
  if (!groups.size) return null;
  return html`<ul class="rows">${[...groups].map(([reason, rows]) => {
    const standing = rows.filter((one) => !one.taken_back);
    const ms = rows.reduce((sum, one) => sum + takes(one), 0);
    return html`<li key=${reason} class="row reason"><label class="check"><input type="checkbox" checked=${standing.length > 0} onChange=${() => onTurn(standing.length ? standing : rows)} /> ${REASONS[reason] ?? reason}</label>
      <span class="dim">${standing.length === rows.length ? rows.length : `${standing.length} of ${rows.length}`}${ms > 0 ? ` · −${length(ms)}` : ""}</span>
      <details><summary>Each</summary><ul>${rows.map((one) => html`<li key=${`${one.start_ms} ${one.action}`}>
        <button type="button" class="cue-time" aria-label=${`Hear the join at ${time(one.start_ms, 1)}`} onClick=${() => onHear(one)}>${time(one.start_ms, 1)}</button>
        <span>${one.text ? `“${one.text}”` : length(one.end_ms - one.start_ms)}</span>
        <button type="button" class="button small" onClick=${() => onTurn([one])}>${one.taken_back ? "Cut it" : "Keep it"}</button></li>`)}</ul></details></li>`;
  })}</ul>`;
}

/** What is looked for; `list`: the one that was made last, by whose rules the form begins. */
function Rules({ list, byWords, working, onFind }) {
  const [rules, setRules] = useState(() => rulesOf(list));
  const set = (name, value) => setRules({ ...rules, [name]: value });
  const check = (name, words) => html`<label class="check"><input type="checkbox" checked=${rules[name]} onChange=${(event) => set(name, event.target.checked)} /> ${words}</label>`;
  return html`<form class="panel-bar" aria-label="Rules" onSubmit=${(event) => (event.preventDefault(), onFind(paramsOf(rules, byWords)))}>
    ${check("silences", "Silences of at least")}
    <input type="number" aria-label="Length of silences, s" min="0.05" max="60" step="0.05" value=${rules.silenceS} onInput=${(event) => set("silenceS", Number(event.target.value))} /><span class="dim">s</span>
    <select aria-label="What becomes of silences" value=${rules.action} onChange=${(event) => set("action", event.target.value)}><option value="cut">cut</option><option value="shorten">shorten</option><option value="speed_up">speed up</option></select>
    ${byWords && check("fillers", "Fillers")}${byWords && check("repeats", "Said twice")}${check("breaths", "Breaths")}
    <button type="submit" class="button primary" disabled=${working}>${working === "find" ? "Looking…" : "List the cuts"}</button>
  </form>`;
}

const rulesOf = (list) => ({
  silences: list ? "silence_ms" in list.rules : true, silenceS: (list?.rules.silence_ms ?? 600) / 1000, action: list?.rules.silence_action ?? "cut",
  fillers: list ? Boolean(list.rules.fillers) : true, repeats: Boolean(list?.rules.repeats), breaths: Boolean(list?.rules.breaths),
});

const paramsOf = ({ silences, silenceS, action, fillers, repeats, breaths }, byWords) => ({
  ...(silences ? { silence_ms: 1000 * silenceS, silence_action: action } : {}), ...(byWords ? { fillers, repeats } : {}), breaths,
});

/** Cut these words, or, where all of them are cut already, take that back. */
function toggled(edits, words, first, last, durationMs) {
  const inside = (one) => one.reason === "word" && !one.taken_back && one.start_ms <= middle(words[first]) && middle(words[last]) <= one.end_ms;
  if (edits.some(inside)) return { edits: edits.map((one) => (inside(one) ? { ...one, taken_back: true } : one)), cut: false };
  const made = wordCut(words, first, last, durationMs);
  const others = edits.filter((one) => one.edit_id || one.start_ms < made.start_ms || one.end_ms > made.end_ms);
  return { edits: [...others, made].sort((a, b) => a.start_ms - b.start_ms), cut: true };
}

const middle = (word) => (word.start_ms + word.end_ms) / 2;

/** The words that go because somebody chose them. */
function dropped(edits, words) {
  const chosen = edits.filter((one) => one.reason === "word" && !one.taken_back);
  return words.flatMap((word, at) => (chosen.some((one) => one.start_ms <= middle(word) && middle(word) <= one.end_ms) ? [at] : []));
}

/** From a little before the first word to as much before the next one: the pause before it stays. */
function wordCut(words, first, last, durationMs) {
  const before = words[first - 1]?.end_ms ?? 0;
  const next = words[last + 1];
  const start = words[first].start_ms - Math.min(EDGE_MS, Math.max(0, words[first].start_ms - before) / 2);
  const end = next ? Math.max(words[last].end_ms, next.start_ms - Math.min(EDGE_MS, (next.start_ms - words[last].end_ms) / 2)) : Math.min(words[last].end_ms, durationMs);
  const text = words.slice(first, last + 1).map((word) => word.text).join(" ").slice(0, MOST_TEXT);
  return { action: "cut", reason: "word", start_ms: start, end_ms: end, text, taken_back: false };
}

/** The deck that plays the cuts, made when it is first heard. */
function useDeck(data, player, keeps, edits, onError) {
  const deck = useRef(null);
  const [loading, setLoading] = useState(false);
  const [playing, setPlaying] = useState(false);
  useEffect(() => {
    deck.current?.set(keeps, edits);
  }, [keeps, edits]);
  useEffect(() => () => player.useMix(null), [player]);
  useEffect(() => player.state.subscribe((now) => setPlaying(now.playing && now.deck === "mix" && player.mix === deck.current)), [player]);
  const ready = async () => {
    if (!deck.current) {
      setLoading(true);
      try {
        const long = (data.asset.media.duration_ms ?? Infinity) > LONGEST_MS;
        const buffer = long ? null : await player.buffer(mediaOf(data.asset.asset_id));
        const pictured = data.asset.media.video?.length > 0 || long;
        deck.current = new CutDeck(player, buffer, pictured ? player.element : null);
        deck.current.set(keeps, edits);
      } catch (failure) {
        onError({ code: "unplayable", message: failure.message });
      }
      setLoading(false);
    }
    if (deck.current) player.useMix(deck.current);
    return deck.current;
  };
  const toggle = async () => {
    if (playing) return player.pause();
    const atMs = player.recordingMs;
    const made = await ready();
    made?.seek(atMs);
    return made && player.play();
  };
  /** The join where a time of the recording is cut. */
  const hear = async (left, all, ms) => {
    const made = await ready();
    if (!made) return;
    made.set(left, all);
    const join = toNewMs(left, ms);
    made.playNew(join - AROUND_MS, join + AROUND_MS);
    player.play();
  };
  const playFrom = async (ms) => {
    const made = await ready();
    made?.seek(ms);
    if (made) player.play();
  };
  return { loading, playing, toggle, hear, playFrom };
}

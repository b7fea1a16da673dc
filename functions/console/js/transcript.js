// The transcript: words light up as they are said, a click plays from there, cues can be rewritten.

import { post } from "./api.js";
import { captionFormats } from "./description.js";
import { ErrorBox } from "./error-box.js";
import { FindBar, replaced } from "./find-bar.js";
import { assetStem, count, time } from "./format.js";
import { Icon } from "./icons.js";
import { cx, html, useEffect, useRef, useState } from "./lib.js";
import { whenFinished } from "./live.js";
import { toast } from "./toast.js";
import { at } from "./viewer.js";

const MOST_CHARS = 84; // two lines of 42
const PAUSE_MS = 1500; // a longer one begins a paragraph

export function TranscriptPanel({ data, player }) {
  const { json, artifact } = data.found.transcript;
  const [edits, setEdits] = useState({});
  const [editing, setEditing] = useState(null);
  const [saving, setSaving] = useState(false);
  const [error, setError] = useState(null);
  const [names, setNames] = useState({});
  const called = { ...json.speaker_names, ...names };
  const renamed = Object.entries(names).filter(([id, name]) => name.trim() && name.trim() !== json.speaker_names?.[id]);
  const changed = Object.entries(edits).filter(([cue, text]) => text.trim() !== flat(json.cues[cue - 1]?.text ?? ""));
  const discard = () => {
    setEdits({});
    setNames({});
  };
  useEffect(discard, [artifact.artifact_id]);

  /** Make the next version, with what else is to be done to its lines after the changed texts. */
  const save = async (more = []) => {
    if (!(changed.length || renamed.length || more.length) || saving) return;
    setSaving(true);
    setError(null);
    try {
      const run = await post("/video/captions/generate", {
        asset_id: data.asset.asset_id,
        artifact_id: artifact.artifact_id,
        language: json.language,
        edits: [...changed.map(([cue, text]) => ({ cue: Number(cue), text: text.trim() })), ...more],
        speaker_names: Object.fromEntries(renamed.map(([id, name]) => [id, name.trim()])),
      });
      const finished = await whenFinished(run.run_id);
      const failed = finished.steps.find((step) => step.error);
      if (failed) setError(failed.error);
      else toast(`Saved as version ${json.version + (changed.length + more.length || 1)}`);
      if (more.length && !failed) setEditing(null);
    } catch (failure) {
      setError(failure.error ?? { message: failure.message });
    }
    setSaving(false);
  };
  useEffect(() => {
    const listen = (event) => {
      if (event.key !== "s" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      save();
    };
    addEventListener("keydown", listen);
    return () => removeEventListener("keydown", listen);
  });
  const list = useFollowing(json, player, editing);
  const texts = json.cues.map((cue) => edits[cue.index] ?? flat(cue.text));
  const show = (place) => list.current.children[place]?.scrollIntoView({ block: "nearest" });
  const replace = (find, by) => {
    const changes = json.cues.map((cue, place) => [cue.index, replaced(texts[place], find, by)]).filter(([, now], place) => now !== texts[place]);
    setEdits((now) => ({ ...now, ...Object.fromEntries(changes) }));
    return changes.length;
  };
  if (!json.cues.length) return html`<${Empty} data=${data} />`;
  return html`<div class="transcript">
    <div class="panel-bar">
      <span class="dim">${[count(json.words.length, "word"), json.language, `version ${json.version}`].join(" · ")}</span>
      <span class="grow"></span>
      <${FindBar} texts=${texts} onShow=${show} onReplace=${replace} />
      <${Formats} transcript=${artifact} stem=${assetStem(data.asset)} />
    </div>
    ${error && html`<${ErrorBox} error=${error} onClose=${() => setError(null)} />`}
    <ol class="cues" ref=${list}>${json.cues.map((cue) => html`<${Cue} key=${cue.index} cue=${cue} before=${json.cues[cue.index - 2]} names=${called} words=${json.words} text=${edits[cue.index]}
      editing=${editing === cue.index} player=${player} onEdit=${() => setEditing(cue.index)}
      onText=${(text) => setEdits((now) => ({ ...now, [cue.index]: text }))} onDone=${() => setEditing(null)} last=${cue.index === json.cues.length} busy=${saving}
      onShape=${(edit) => save([{ cue: cue.index, ...edit }])} onName=${(id, name) => setNames((now) => ({ ...now, [id]: name }))} />`)}</ol>
    ${changed.length + renamed.length > 0 && html`<div class="save-bar" role="region" aria-label="Changes">
      <span>${[changed.length && count(changed.length, "changed line"), renamed.length && count(renamed.length, "name")].filter(Boolean).join(", ")}</span><span class="grow"></span>
      <button type="button" class="button" disabled=${saving} onClick=${discard}>Discard</button>
      <button type="button" class="button primary" disabled=${saving} onClick=${() => save()}>${saving ? "Saving…" : "Save"}</button></div>`}
    ${json.edits.length > 0 && html`<details class="history"><summary>${count(json.edits.length, "earlier wording")}</summary>
      <ul>${json.edits.map((edit, place) => html`<li key=${place}>Line ${edit.cue} was <q>${flat(edit.was)}</q></li>`)}</ul></details>`}
  </div>`;
}

const flat = (text) => text.replaceAll("\n", " ");

/** Every format that the server writes, to download under the recording's name. */
function Formats({ transcript, stem }) {
  const [formats, setFormats] = useState(["srt", "vtt"]);
  const read = (event) => event.target.open && captionFormats().then(setFormats, () => {}); // the usual two stay
  return html`<details class="menu" onToggle=${read}><summary class="button"><${Icon} name="download" size=${14} /> Download</summary>
    <ul>${formats.map((one) => html`<li key=${one}><a href=${`/video/captions/${transcript.artifact_id}/${one}`} download=${`${stem}.${one}`}>${one.toUpperCase()}</a></li>`)}</ul></details>`;
}

/** Who speaks from here on; the name can be changed. */
function Speaker({ id, name, onName }) {
  const own = id.replace(/^(\w+?)_?(\d+)$/, (_, kind, number) => `${kind === "channel" ? "Speaker" : kind} ${number}`);
  return html`<input class="speaker" type="text" maxlength="40" aria-label=${`Name of ${own}`} value=${name ?? ""} placeholder=${own} onInput=${(event) => onName(id, event.target.value)} />`;
}

function Cue({ cue, before, names, words, text, editing, last, busy, player, onEdit, onText, onDone, onShape, onName }) {
  const field = useRef();
  useEffect(() => {
    if (!editing) return;
    field.current.focus();
    field.current.select();
  }, [editing]);
  const said = flat(cue.text);
  const now = text ?? said;
  const onKeyDown = (event) => {
    if (event.key === "Escape") onText(said);
    if (event.key === "Escape" || (event.key === "Enter" && !event.shiftKey)) {
      event.preventDefault();
      onDone();
    }
  };
  const own = words.slice(cue.first_word, cue.first_word + cue.word_count);
  const split = () => {
    const words = wordsBefore(now, field.current.selectionStart, text === undefined || text === said ? own : null);
    if (words) onShape({ split_after: words });
    else toast("Put the cursor where the second line is to begin");
  };
  const turn = cue.speaker_id && cue.speaker_id !== before?.speaker_id;
  const pause = before && cue.start_ms - before.end_ms > PAUSE_MS;
  return html`<li class=${cx("cue", (turn || pause) && "paragraph", text !== undefined && text !== said && "changed")} data-cue=${cue.index}>
    ${turn && html`<${Speaker} id=${cue.speaker_id} name=${names[cue.speaker_id]} onName=${onName} />`}
    <button type="button" class="cue-time" aria-label=${`Play from ${time(cue.start_ms, 1)}`} onClick=${() => player.playRange(rangeOf(cue))}>${time(cue.start_ms, 1)}</button>
    ${editing
      ? html`<div class="cue-field"><textarea ref=${field} rows="2" aria-label=${`Text of line ${cue.index}`} value=${now} onInput=${(event) => onText(event.target.value)}
          onKeyDown=${onKeyDown} onBlur=${(event) => !event.relatedTarget?.closest(".cue-field") && onDone()}></textarea>
          <div class="panel-bar"><small class=${cx("dim", now.length > MOST_CHARS && "bad")}>${now.length} of ${MOST_CHARS}</small>
            <button type="button" class="button small" disabled=${busy} onMouseDown=${keepFocus} onClick=${split}>Split at the cursor</button>
            ${!last && html`<button type="button" class="button small" disabled=${busy} onMouseDown=${keepFocus} onClick=${() => onShape({ join: true })}>Join with the next</button>`}</div></div>`
      : html`<p class="cue-text" lang="" onDblClick=${onEdit}>${text !== undefined && text !== said
          ? text
          : own.map((word, place) => html`${word.joined || place === 0 ? "" : " "}<span key=${place} class=${cx("word", word.timing !== "aligned" && "estimated")} data-word=${cue.first_word + place}
              title=${time(word.start_ms)} onClick=${() => player.seek(word.start_ms)}>${word.text}</span>`)}</p>`}
    <button type="button" class="plain cue-edit" aria-label=${`Edit line ${cue.index}`} onClick=${onEdit}><${Icon} name="edit" size=${14} /></button>
  </li>`;
}

const keepFocus = (event) => event.preventDefault(); // the cursor stays where it is

/** How many words lie before the cursor: 0 where there are none, or no others behind it. */
function wordsBefore(text, cursor, words) {
  if (!words) {
    const before = text.slice(0, cursor).split(/\s+/).filter(Boolean).length;
    return before < text.split(/\s+/).filter(Boolean).length ? before : 0;
  }
  let [at, count] = [0, 0];
  for (const word of words) {
    at += word.text.length + (count && !word.joined ? 1 : 0);
    if (at > cursor) break;
    count += 1;
  }
  return count < words.length ? count : 0;
}

const rangeOf = (cue) => ({ id: `cue-${cue.index}`, lane: "words", startMs: cue.start_ms, endMs: cue.end_ms, title: flat(cue.text), facts: [] });

/** Marks the word that is being said, and keeps its line in view inside the list. */
function useFollowing(json, player, editing) {
  const list = useRef();
  useEffect(() => {
    let marked = null;
    return player.onTick(() => {
      if (!list.current || editing) return;
      const ms = player.recordingMs;
      const word = at(json.words, ms, (row) => row.start_ms);
      const index = word && ms < word.end_ms + 150 ? json.words.indexOf(word) : -1;
      const next = index < 0 ? null : list.current.querySelector(`[data-word="${index}"]`);
      if (next === marked) return;
      marked?.classList.remove("said");
      next?.classList.add("said");
      marked = next;
      const box = list.current;
      const row = next?.closest("li");
      if (row && player.state.get().playing && (row.offsetTop < box.scrollTop || row.offsetTop + row.offsetHeight > box.scrollTop + box.clientHeight)) {
        box.scrollTop = row.offsetTop - box.clientHeight / 3;
      }
    });
  }, [json, player, editing]);
  return list;
}

function Empty({ data }) {
  const { row } = data.last.get("transcribe.captions") ?? {};
  const { speech } = data.found.transcript.json;
  return html`<div class="empty"><p><strong>${speech.length ? "Speech is found, but not written down" : "Nobody speaks here"}</strong></p>
    <p class="dim">${row?.reason ?? (speech.length ? "" : "No speech was heard in this recording, so there is nothing to write.")}</p></div>`;
}

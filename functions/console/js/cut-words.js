// The words of a recording, to be chosen by pointer or keys and cut; silences stand between them.

import { count, length } from "./format.js";
import { Icon } from "./icons.js";
import { cx, html, useEffect, useRef, useState } from "./lib.js";
import { heard } from "./time-map.js";

const PAUSE_MS = 900; // a longer one begins a paragraph

/** `silences`: edits that stand between words; `onCut([first, last])`: of the chosen words. */
export function CutWords({ words, keeps, silences, player, onCut, onPlay, onToggle }) {
  const [chosen, setChosen] = useState(null); // [where it began, where it is now]
  const dragging = useRef(false);
  const list = useRef();
  const [first, last] = chosen ? [Math.min(...chosen), Math.max(...chosen)] : [-1, -1];
  const cut = () => chosen && onCut([first, last]);
  const onKeyDown = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 8, ArrowUp: -8 }[event.key];
    if (step) {
      const to = Math.max(0, Math.min(words.length - 1, (chosen?.[1] ?? -step) + step));
      setChosen(event.shiftKey && chosen ? [chosen[0], to] : [to, to]);
    } else if (event.key === "Delete" || event.key === "Backspace") cut();
    else if (event.key === "Enter" && chosen) onPlay(words[first]);
    else if (event.key === "Escape") setChosen(null);
    else return;
    event.preventDefault();
    event.stopPropagation(); // the arrows also move the playhead
  };
  const wordAt = (event) => Number(event.target.closest?.("[data-cut-word]")?.dataset.cutWord ?? NaN);
  const down = (event) => {
    const at = wordAt(event);
    if (Number.isNaN(at) || event.button) return;
    const more = event.pointerType === "touch" ? chosen?.[0] === chosen?.[1] : event.shiftKey; // a second tap chooses up to there
    dragging.current = event.pointerType !== "touch";
    setChosen(more && chosen ? [chosen[0], at] : [at, at]);
  };
  const move = (event) => {
    const at = wordAt(event);
    if (dragging.current && !Number.isNaN(at)) setChosen((now) => [now?.[0] ?? at, at]);
  };
  useEffect(() => {
    const up = () => (dragging.current = false);
    addEventListener("pointerup", up);
    return () => removeEventListener("pointerup", up);
  }, []);
  useSaid(list, words, player);
  /** Silences that end behind the one word's start and before the next one's. */
  const quiet = (from, to) => silences.filter((one) => from + 1 < one.end_ms && one.end_ms <= to + 1).map((one) => html`<${Silence} key=${one.edit_id} one=${one} onToggle=${onToggle} />`);
  const gone = chosen && words.slice(first, last + 1).every((word) => !heard(keeps, word.start_ms, word.end_ms));
  return html`<div><div class="cut-words" ref=${list} role="listbox" tabindex="0" aria-label="Words" aria-multiselectable="true" aria-activedescendant=${chosen ? `cut-word-${chosen[1]}` : undefined}
    onKeyDown=${onKeyDown} onPointerDown=${down} onPointerOver=${move}>
    ${words.map((word, at) => html`${quiet(words[at - 1]?.start_ms ?? -1, word.start_ms)}
      ${at > 0 && word.start_ms - words[at - 1].end_ms > PAUSE_MS ? html`<br />` : null}
      <span key=${at} id=${`cut-word-${at}`} role="option" aria-selected=${at >= first && at <= last ? "true" : "false"} data-cut-word=${at}
        class=${cx("cut-word", !heard(keeps, word.start_ms, word.end_ms) && "gone")} title=${length(word.start_ms)} onDblClick=${() => onPlay(word)}>${word.text}${" "}</span>`)}${quiet(words.at(-1)?.start_ms ?? -1, Infinity)}
  </div>
  ${chosen && html`<div class="panel-bar cut-chosen"><button type="button" class="button" onClick=${cut}>${gone ? "Put back" : "Cut"} ${count(last - first + 1, "word")}</button>
    <button type="button" class="button" onClick=${() => onPlay(words[first])}><${Icon} name="play" size=${14} /> From here</button></div>`}</div>`;
}

/** A silence that is shortened or left out; a click takes that back, as the list of edits does for keys. */
function Silence({ one, onToggle }) {
  const words = `${length(one.end_ms - one.start_ms)} of silence`;
  return html`<span role="option" aria-selected="false" class=${cx("cut-silence", !one.taken_back && "gone")} aria-label=${words} title=${`${words}: ${one.taken_back ? "stays" : "goes"}`}
    onClick=${() => onToggle(one)}>${length(one.end_ms - one.start_ms)}</span>${" "}`;
}

/** Marks the word that is being said. */
function useSaid(list, words, player) {
  useEffect(() => {
    let marked = null;
    return player.onTick(() => {
      const ms = player.recordingMs;
      const at = words.findLastIndex((word) => word.start_ms <= ms);
      const next = at >= 0 && ms < words[at].end_ms + 150 ? list.current?.querySelector(`[data-cut-word="${at}"]`) : null;
      if (next === marked) return;
      marked?.classList.remove("said");
      next?.classList.add("said");
      marked = next;
    });
  }, [words, player]);
}

// Find and replace in a list of texts. Capitals don't matter in what is looked for.

import { count } from "./format.js";
import { Icon } from "./icons.js";
import { html, useState } from "./lib.js";
import { toast } from "./toast.js";

const pattern = (find) => new RegExp(find.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "giu");

/** The text with every `find` in it written as `by`. */
export const replaced = (text, find, by) => (find ? text.replace(pattern(find), () => by) : text);

/** `onShow(place)`: bring a text into view; `onReplace(find, by)` says how many texts it changed. */
export function FindBar({ texts, onShow, onReplace }) {
  const [find, setFind] = useState("");
  const [by, setBy] = useState("");
  const [at, setAt] = useState(-1);
  const places = find.trim() ? texts.flatMap((text, place) => (pattern(find).test(text) ? [place] : [])) : [];
  const next = (event) => {
    event.preventDefault();
    if (!places.length) return;
    const to = (at + 1) % places.length;
    setAt(to);
    onShow(places[to]);
  };
  const replace = () => toast(`${count(onReplace(find, by), "line")} changed; save to keep it`);
  return html`<form class="find-bar" role="search" aria-label="Find and replace" onSubmit=${next}>
    <input type="search" placeholder="Find" aria-label="Find in the transcript" value=${find} onInput=${(event) => (setFind(event.target.value), setAt(-1))} />
    ${find.trim() && html`<span class="dim" role="status">${places.length ? `${at < 0 ? "" : `${at + 1} of `}${count(places.length, "line")}` : "not found"}</span>
      <input type="text" placeholder="Replace by" aria-label="Replace by" value=${by} onInput=${(event) => setBy(event.target.value)} />
      <button type="button" class="button" disabled=${!places.length} onClick=${replace}><${Icon} name="edit" size=${14} /> Replace all</button>`}
  </form>`;
}

// The list of recordings: searched, filtered and sorted here, and only what is on screen is drawn.

import { ago, bytes, percent, rowWords, time } from "./format.js";
import { Icon } from "./icons.js";
import { cx, html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "./lib.js";
import { settled } from "./live.js";
import { stateWords } from "./steps.js";
import { kept, useStore } from "./store.js";
import { Thumbnail } from "./thumbnail.js";

const MARGIN_ROWS = 6;
const LEAST_ROWS = 12; // so that the tab key finds the list from above
const narrow = matchMedia("(max-width: 860px)");
const rowPx = () => (narrow.matches ? 68 : 60); // as css/library.css has it

/** What people chose; the search is not kept. */
const chosen = kept("list", { sort: "newest", state: "", kind: "" });

const KINDS = { "": "All kinds", video: "Video", audio: "Sound", pattern: "Patterns" };
const STATES = { "": "All states", running: "Under way", done: "Done", degraded: "Partly done", failed: "Failed" };
const SORTS = {
  newest: ["Newest first", (a, b) => (b.added_at ?? 0) - (a.added_at ?? 0)],
  oldest: ["Oldest first", (a, b) => (a.added_at ?? 0) - (b.added_at ?? 0)],
  name: ["By name", () => 0],
  longest: ["Longest first", (a, b) => (b.duration_ms ?? 0) - (a.duration_ms ?? 0)],
  largest: ["Largest first", (a, b) => b.bytes - a.bytes],
};
const byName = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

/** Rows that hold every word of the search in their name, of the chosen kind and state, in order. */
export function picked(rows, { search = "", sort = "newest", state = "", kind = "" }) {
  const words = plain(search).split(/\s+/).filter(Boolean);
  const order = (SORTS[sort] ?? SORTS.newest)[1];
  return rows
    .filter((row) => (!kind || row.kind === kind) && (!state || row.state === state))
    .filter((row) => words.every((word) => plain(row.name).includes(word)))
    .sort((a, b) => order(a, b) || byName.compare(a.name, b.name));
}

// Accents and points; other marks (vowel signs of Devanagari or Thai, kana's voicing) make other words.
const ACCENTS = new RegExp(
  `(?<=[${["Latin", "Greek", "Cyrillic", "Hebrew", "Arabic"].map((one) => `\\p{sc=${one}}`).join("")}]\\p{Mn}*)\\p{Mn}`, "gu");
const plain = (text) => text.normalize("NFKD").replace(ACCENTS, "").toLowerCase();

export function RecordingList({ rows, runs }) {
  const [search, setSearch] = useState("");
  const how = useStore(chosen);
  const active = useMemo(() => {
    const found = new Map();
    for (const run of runs) if (run.asset_id && !settled(run)) found.set(run.asset_id, run);
    return found;
  }, [runs]);
  const live = useMemo(() => rows.map((row) => (active.has(row.asset_id) ? { ...row, state: "running" } : row)), [rows, active]);
  const shown = useMemo(() => picked(live, { ...how, search }), [live, how, search]);
  const set = (name) => (event) => chosen.set((now) => ({ ...now, [name]: event.target.value }));
  const clear = () => (setSearch(""), chosen.set((now) => ({ ...now, state: "", kind: "" })));
  const all = shown.length === rows.length;
  return html`<section aria-labelledby="recordings">
    <div class="list-bar">
      <h2 id="recordings" class="section">Recordings <span class="dim" role="status">${all ? rows.length : `${shown.length} of ${rows.length}`}</span></h2>
      <span class="grow"></span>
      <input type="search" placeholder="Search" aria-label="Search recordings" value=${search} onInput=${(event) => setSearch(event.target.value)} />
      <${Choice} label="Kind" value=${how.kind} options=${Object.entries(KINDS)} onChange=${set("kind")} />
      <${Choice} label="State" value=${how.state} options=${Object.entries(STATES)} onChange=${set("state")} />
      <${Choice} label="Order" value=${how.sort} options=${Object.entries(SORTS).map(([id, [title]]) => [id, title])} onChange=${set("sort")} />
    </div>
    ${shown.length
      ? html`<${Rows} rows=${shown} active=${active} />`
      : html`<div class="empty"><p><strong>Nothing matches</strong></p><button type="button" class="button" onClick=${clear}>Show all</button></div>`}
  </section>`;
}

const Choice = ({ label, value, options, onChange }) =>
  html`<select aria-label=${label} value=${value} onChange=${onChange}>${options.map(([id, title]) => html`<option key=${id} value=${id}>${title}</option>`)}</select>`;

/** All rows have one height, so what is on screen is known without drawing the others. */
function Rows({ rows, active }) {
  const list = useRef();
  const [[first, last], setWindow] = useState([0, 30]);
  useLayoutEffect(() => {
    const look = () => {
      const top = list.current.getBoundingClientRect().top;
      const from = Math.max(0, Math.floor(-top / rowPx()) - MARGIN_ROWS);
      const to = Math.max(LEAST_ROWS, Math.ceil((innerHeight - top) / rowPx()) + MARGIN_ROWS);
      setWindow(([a, b]) => (a === from && b === to ? [a, b] : [from, to]));
    };
    look();
    const watch = new ResizeObserver(look); // what stands above comes and goes
    watch.observe(document.getElementById("main"));
    addEventListener("scroll", look, { passive: true });
    addEventListener("resize", look);
    return () => (watch.disconnect(), removeEventListener("scroll", look), removeEventListener("resize", look));
  }, []);
  const tall = rowPx();
  return html`<ul class="rows recordings" ref=${list} style=${{ height: `${rows.length * tall}px` }}>
    ${rows.slice(first, last).map((row, at) => html`<li key=${row.asset_id} style=${{ top: `${(first + at) * tall}px` }} aria-setsize=${rows.length} aria-posinset=${first + at + 1}>
      <${Row} row=${row} run=${active.get(row.asset_id)} /></li>`)}
  </ul>`;
}

function Row({ row, run }) {
  const words = run ? `${stateWords("running")}, ${percent(done(run))}` : stateWords(row.state);
  return html`<a class="row" href=${`#/assets/${row.asset_id}`} data-asset=${row.asset_id}>
    <${Thumbnail} row=${row} />
    <span class="row-name">${row.name}</span>
    <span class="row-time">${row.duration_ms == null ? "" : time(row.duration_ms, 0)}</span>
    <span class="row-about dim">${rowWords(row).join(" · ")}</span>
    <span class="row-size dim">${bytes(row.bytes)}</span>
    <span class="row-when dim">${row.added_at ? ago(row.added_at) : ""}</span>
    <span class=${cx("row-state", row.state)}>${words}</span>
  </a>`;
}

const done = (run) => run.steps.reduce((sum, step) => sum + (settled(step) ? 1 : step.progress), 0) / Math.max(1, run.steps.length);

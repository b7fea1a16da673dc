// One lane: its items as options of a list box, so that it is one stop of the tab key, and the arrows
// move inside it.

import { prepare, useDrawing } from "./drawing.js";
import { Film } from "./film.js";
import { inWindow, packed } from "./layers.js";
import { cx, html, useMemo, useRef } from "./lib.js";

const LEAST_PX = 2;
const ROW_PX = 22;
const LABEL_PX = { blocks: 18, band: 18, hits: 48, ticks: 18, film: 40 };
const TALL = { blocks: ROW_PX, band: ROW_PX, hits: 34, ticks: 20, film: 46, curve: 34 };

export function Lane({ lane, shown, view, durationMs, selected, onPick, onSelect, player, filmUrl, seek }) {
  const rows = useMemo(() => (lane.form === "blocks" ? packed(lane.items) : lane.items.map(() => 0)), [lane]);
  const rowOf = useMemo(() => new Map(lane.items.map((one, at) => [one.id, rows[at]])), [lane]);
  const deep = lane.form === "blocks" ? Math.max(1, ...rows.map((row) => row + 1)) : 1;
  const height = lane.form === "blocks" ? deep * ROW_PX : TALL[lane.form];
  const body = useRef();

  const margin = (shown.toMs - shown.fromMs) / 2;
  const visible = inWindow(lane.items, shown.fromMs - margin, shown.toMs + margin, LEAST_PX / shown.pxPerMs);
  const mine = selected?.lane === lane.id ? lane.items.find((one) => one.id === selected.id) : null;
  if (mine && !visible.includes(mine)) visible.push(mine);

  const onKeyDown = (event) => {
    if (event.ctrlKey || event.metaKey) return;
    const to = stepTo(event.key, lane.items, mine, player.positionMs);
    if (to) {
      onSelect(to);
      reveal(to, body.current, view, durationMs);
    } else if (event.key === "Enter" && mine) onPick(mine);
    else if (event.key === "ArrowDown" || event.key === "ArrowUp") moveLane(body.current, event.key === "ArrowDown" ? 1 : -1);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };

  const list = lane.items.length > 0;
  const name = list ? `${lane.title}, ${lane.items.length}` : lane.title;
  return html`<div class=${cx("tl-row", `lane-${lane.form}`)} data-lane=${lane.id} style=${{ "--c": `var(--c-${lane.color})` }}>
    <div class="tl-head">
      <i class="dot"></i><span class="lane-title">${lane.title}</span>
      ${list && lane.form !== "band" && html`<span class="lane-count">${lane.items.length}</span>`}
      ${lane.note && html`<span class="lane-note warn">${lane.note}</span>`}
    </div>
    <div class="tl-body" ref=${body} style=${{ height: `${height}px` }} ...${seek}
      ...${list ? { role: "listbox", tabIndex: 0, "aria-label": name, "aria-orientation": "horizontal", "aria-activedescendant": mine?.id, onKeyDown } : {}}>
      ${lane.form === "film" && filmUrl && html`<${Film} url=${filmUrl} shown=${shown} view=${view} durationMs=${durationMs} />`}
      ${!list && lane.form !== "curve" && html`<span class="lane-none">none found</span>`}
      ${lane.form === "curve" && html`<${Curve} curve=${lane.curve} shown=${shown} view=${view} />`}
      ${visible.map((one) => html`<${Item} key=${one.id} item=${one} form=${lane.form} row=${rowOf.get(one.id)} durationMs=${durationMs}
        pxPerMs=${shown.pxPerMs} chosen=${mine === one} onPick=${onPick} />`)}
    </div>
  </div>`;
}

function Item({ item, form, row, durationMs, pxPerMs, chosen, onPick }) {
  const end = item.drawnEndMs ?? item.endMs;
  const style = { left: `${(100 * item.startMs) / durationMs}%`, width: `${(100 * (end - item.startMs)) / durationMs}%` };
  if (form === "blocks") style.top = `${row * ROW_PX + 1}px`;
  if (form === "hits") style["--score"] = item.score ?? 1;
  if (item.color) style["--c"] = `var(--c-${item.color})`;
  const wide = (end - item.startMs) * pxPerMs;
  return html`<div id=${item.id} role="option" aria-selected=${chosen ? "true" : "false"} aria-label=${item.title.includes(item.label) ? item.title : `${item.label}, ${item.title}`} title=${item.title}
    class=${cx("item", item.quiet && "quiet", item.strong && "strong", item.kept && "kept", chosen && "chosen")}
    style=${style} onClick=${() => onPick(item)}>${wide > LABEL_PX[form] && item.label ? html`<span>${item.label}</span>` : null}</div>`;
}

/** Where a key leads from the chosen item; from none, to what is at the playhead. */
function stepTo(key, items, mine, positionMs) {
  if (key === "Home") return items[0];
  if (key === "End") return items.at(-1);
  const step = { ArrowRight: 1, ArrowLeft: -1 }[key];
  if (!step) return null;
  if (mine) return items[items.indexOf(mine) + step] ?? mine;
  return (step > 0 ? items.find((one) => one.startMs >= positionMs) : items.findLast((one) => one.startMs <= positionMs)) ?? items[0];
}

function reveal(item, body, view, durationMs) {
  const scroller = body.closest(".tl-scroll");
  const left = (item.startMs / durationMs) * view.widthPx * view.zoom;
  if (left < scroller.scrollLeft || left > scroller.scrollLeft + view.widthPx - 24) {
    scroller.scrollLeft = Math.max(0, left - view.widthPx / 3);
  }
}

function moveLane(body, by) {
  const lists = [...body.closest(".time-axis").querySelectorAll("[role=listbox]")];
  lists[lists.indexOf(body) + by]?.focus();
}

/** Loudness per window, -60 to 0 LUFS. */
function Curve({ curve, shown, view }) {
  const canvas = useRef();
  useDrawing(() => {
    const { context, height, scale } = prepare(canvas.current);
    context.fillStyle = context.strokeStyle = getComputedStyle(canvas.current).color;
    const x = (ms) => (ms - shown.fromMs) * shown.pxPerMs * scale;
    const y = (lufs) => height - (Math.max(0, (lufs ?? -60) + 60) / 60) * (height - 3 * scale);
    context.beginPath();
    context.moveTo(x(0), height);
    curve.lufs.forEach((value, at) => context.lineTo(x((at + 0.5) * curve.window_ms), y(value)));
    context.lineTo(x(curve.lufs.length * curve.window_ms), height);
    context.globalAlpha = 0.18;
    context.fill();
    context.beginPath();
    curve.lufs.forEach((value, at) => context.lineTo(x((at + 0.5) * curve.window_ms), y(value)));
    context.globalAlpha = 0.9;
    context.lineWidth = 1.25 * scale;
    context.stroke();
    context.globalAlpha = 1;
  }, [curve, shown.fromMs, shown.pxPerMs, view.widthPx]);
  return html`<canvas class="tl-canvas" ref=${canvas} style=${{ width: `${view.widthPx}px` }} role="img"
    aria-label="Loudness over time"></canvas>`;
}

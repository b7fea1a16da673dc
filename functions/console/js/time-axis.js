// The time axis: ruler, waveform and lanes over one time axis, in one scroller, under one playhead.

import { prepare, useDrawing } from "./drawing.js";
import { length, time } from "./format.js";
import { Icon } from "./icons.js";
import { Lane } from "./lane.js";
import { html, useEffect, useLayoutEffect, useRef, useState } from "./lib.js";
import { drawPeaks, fittingGain } from "./peaks.js";

const MOST_PX_PER_S = 1200;
const STEPS_S = [0.005, 0.01, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600];

/**
 * `peaks`: of the recording, or null while they are read. `onPick(item)` plays one.
 * The window that is on screen is `view`: `{widthPx, headPx, zoom, leftPx}`.
 */
export function TimeAxis({ durationMs, lanes, peaks, sounds, player, selected, onPick, onSelect, filmUrl }) {
  const scroller = useRef();
  const [view, setView] = useState({ widthPx: 800, headPx: 140, zoom: 1, leftPx: 0 });
  const bodyPx = view.widthPx * view.zoom;
  const pxPerMs = bodyPx / durationMs;
  const most = Math.max(1, ((durationMs / 1000) * MOST_PX_PER_S) / view.widthPx);
  const shown = { fromMs: view.leftPx / pxPerMs, toMs: (view.leftPx + view.widthPx) / pxPerMs, pxPerMs };

  useLayoutEffect(() => {
    const measure = () => {
      const head = scroller.current.querySelector(".tl-head");
      const headPx = matchMedia("(max-width: 640px)").matches ? 0 : head.offsetWidth; // above the lanes there
      setView((now) => ({ ...now, headPx, widthPx: Math.max(100, scroller.current.clientWidth - headPx) }));
    };
    measure();
    const watch = new ResizeObserver(measure);
    watch.observe(scroller.current);
    return () => watch.disconnect();
  }, []);

  /** Zoom, keeping the time at `anchorPx` of the window (else: the playhead, else the middle) in place. */
  const zoomTo = (wanted, anchorPx) => {
    const zoom = Math.min(most, Math.max(1, wanted));
    const playPx = player.recordingMs * pxPerMs - view.leftPx;
    const anchor = anchorPx ?? (playPx >= 0 && playPx <= view.widthPx ? playPx : view.widthPx / 2);
    const atMs = (view.leftPx + anchor) / pxPerMs;
    const leftPx = Math.max(0, (atMs * view.widthPx * zoom) / durationMs - anchor);
    setView((now) => ({ ...now, zoom, leftPx }));
  };
  useLayoutEffect(() => {
    scroller.current.scrollLeft = view.leftPx;
  }, [view.zoom]);

  useEffect(() => {
    const element = scroller.current;
    const onWheel = (event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      const box = element.getBoundingClientRect();
      zoomTo(view.zoom * Math.exp(-event.deltaY / 240), event.clientX - box.left - view.headPx);
    };
    element.addEventListener("wheel", onWheel, { passive: false });
    return () => element.removeEventListener("wheel", onWheel);
  });

  const frame = useRef(0);
  const onScroll = () => {
    cancelAnimationFrame(frame.current);
    frame.current = requestAnimationFrame(() => {
      const leftPx = scroller.current?.scrollLeft ?? 0;
      setView((now) => (now.leftPx === leftPx ? now : { ...now, leftPx }));
    });
  };

  const onKeyDown = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const to = { "+": view.zoom * 1.5, "=": view.zoom * 1.5, "-": view.zoom / 1.5, 0: 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    zoomTo(to);
  };
  useEffect(() => {
    const listen = (event) => !event.target.closest?.("input, textarea, select") && onKeyDown(event);
    addEventListener("keydown", listen);
    return () => removeEventListener("keydown", listen);
  });

  const scrub = useScrub(player, pxPerMs, durationMs);
  const strongBeats = lanes.find((lane) => lane.id === "beats")?.items ?? [];
  return html`<section class="time-axis" aria-label="Time axis">
    <div class="tl-scroll" ref=${scroller} onScroll=${onScroll}>
      <div class="tl-content" style=${{ width: `${view.headPx + bodyPx}px`, "--head": `${view.headPx}px` }}>
        <div class="tl-row tl-ruler">
          <div class="tl-head">
            <div class="zoom" role="group" aria-label="Zoom">
              <button type="button" class="plain" aria-label="Zoom out" title="Zoom out (−)" disabled=${view.zoom <= 1} onClick=${() => zoomTo(view.zoom / 1.6)}><${Icon} name="minus" size=${14} /></button>
              <button type="button" class="plain" aria-label="Show all" title="Show all (0)" disabled=${view.zoom <= 1} onClick=${() => zoomTo(1)}><${Icon} name="fit" size=${14} /></button>
              <button type="button" class="plain" aria-label="Zoom in" title="Zoom in (+)" disabled=${view.zoom >= most} onClick=${() => zoomTo(view.zoom * 1.6)}><${Icon} name="plus" size=${14} /></button>
            </div>
          </div>
          <div class="tl-body" ...${scrub}><${Ruler} shown=${shown} view=${view} durationMs=${durationMs} /></div>
        </div>
        ${sounds && html`<div class="tl-row tl-wave">
          <div class="tl-head"><span class="lane-title">Waveform</span></div>
          <div class="tl-body" ...${scrub}>
            <${Wave} peaks=${peaks} shown=${shown} view=${view} beats=${strongBeats} durationMs=${durationMs} />
          </div>
        </div>`}
        ${lanes.map((lane) => html`<${Lane} key=${lane.id} lane=${lane} shown=${shown} view=${view} durationMs=${durationMs}
          selected=${selected} onPick=${onPick} onSelect=${onSelect} player=${player} filmUrl=${filmUrl} seek=${scrub} />`)}
        <${Playhead} player=${player} pxPerMs=${pxPerMs} view=${view} scroller=${scroller} durationMs=${durationMs} />
      </div>
    </div>
  </section>`;
}

/** Handlers that move the playhead while the pointer is down on a lane's ground. */
function useScrub(player, pxPerMs, durationMs) {
  const seek = (event) => {
    const box = event.currentTarget.getBoundingClientRect();
    player.seek(Math.min(durationMs, Math.max(0, (event.clientX - box.left) / pxPerMs)));
  };
  return {
    onPointerDown(event) {
      if (event.button !== 0 || event.target.closest("[role=option]")) return;
      // A finger scrolls; it moves the playhead by a tap alone.
      if (event.pointerType === "mouse") event.currentTarget.setPointerCapture(event.pointerId);
      if (event.pointerType === "mouse") seek(event);
    },
    onPointerMove(event) {
      if (event.pointerType === "mouse" && event.buttons & 1 && event.currentTarget.hasPointerCapture(event.pointerId)) seek(event);
    },
    onClick(event) {
      if (event.pointerType !== "mouse" && !event.target.closest("[role=option]")) seek(event);
    },
  };
}

function Ruler({ shown, view }) {
  const canvas = useRef();
  const draw = () => {
    const { context, width, height, scale } = prepare(canvas.current);
    const style = getComputedStyle(canvas.current);
    context.font = `${10.5 * scale}px ${style.fontFamily}`;
    const step = STEPS_S.find((one) => one * 1000 * shown.pxPerMs >= 78) ?? STEPS_S.at(-1);
    const parts = [0.005, 0.05, 0.5, 5, 15, 30].includes(step) ? 5 : 4;
    const digits = step >= 1 ? 0 : step >= 0.1 ? 1 : step >= 0.01 ? 2 : 3;
    const first = Math.floor(shown.fromMs / 1000 / step);
    const last = Math.ceil(shown.toMs / 1000 / step);
    for (let at = first * parts; at <= last * parts; at += 1) {
      const seconds = (at * step) / parts;
      const x = Math.round((seconds * 1000 - shown.fromMs) * shown.pxPerMs * scale) + 0.5;
      if (x < -80 * scale || x > width) continue;
      const whole = at % parts === 0;
      context.fillStyle = style.color;
      context.globalAlpha = whole ? 0.55 : 0.25;
      context.fillRect(x, height - (whole ? 9 : 4) * scale, scale, (whole ? 9 : 4) * scale);
      if (!whole) continue;
      context.globalAlpha = 1;
      context.fillText(time(seconds * 1000, digits), x + 5 * scale, height - 10 * scale);
    }
    context.globalAlpha = 1;
  };
  useDrawing(draw, [shown.fromMs, shown.pxPerMs, view.widthPx]);
  return html`<canvas class="tl-canvas" ref=${canvas} style=${{ width: `${view.widthPx}px` }} aria-hidden="true"></canvas>`;
}

function Wave({ peaks, shown, view, beats, durationMs }) {
  const canvas = useRef();
  const gain = useRef([null, 1]);
  if (peaks && gain.current[0] !== peaks) gain.current = [peaks, fittingGain(peaks)];
  const toMs = shown.fromMs + view.widthPx / shown.pxPerMs;
  useDrawing(() => drawPeaks(canvas.current, peaks, shown.fromMs, toMs, gain.current[1]), [peaks, shown.fromMs, shown.pxPerMs, view.widthPx]);
  const bars = beats.filter((one) => one.strong && one.startMs >= shown.fromMs && one.startMs <= toMs);
  return html`<canvas class="tl-canvas" ref=${canvas} style=${{ width: `${view.widthPx}px` }} role="img"
      aria-label=${peaks ? `Waveform, ${length(durationMs)}` : "Waveform, being read"}></canvas>
    ${!peaks && html`<div class="wave-loading" aria-hidden="true"></div>`}
    ${bars.length * 24 < view.widthPx && bars.map((one) => html`<i class="bar-line" key=${one.id} style=${{ left: `${(100 * one.startMs) / durationMs}%` }}></i>`)}`;
}

/** The playhead moves without rendering: on each picture, by a transform. It turns the page while playing. */
function Playhead({ player, pxPerMs, view, scroller, durationMs }) {
  const line = useRef();
  const live = useRef();
  live.current = { pxPerMs, view };
  useEffect(
    () =>
      player.onTick(() => {
        const { pxPerMs: scale, view: now } = live.current;
        const x = Math.min(player.recordingMs, durationMs) * scale;
        if (line.current) line.current.style.transform = `translateX(${now.headPx + x}px)`;
        if (!player.state.get().playing || player.mix?.apart) return;
        const box = scroller.current;
        if (box && now.zoom > 1 && (x > box.scrollLeft + now.widthPx * 0.98 || x < box.scrollLeft)) {
          box.scrollLeft = Math.max(0, x - now.widthPx * 0.05);
        }
      }),
    [player, durationMs],
  );
  useLayoutEffect(() => {
    line.current.style.transform = `translateX(${view.headPx + Math.min(player.recordingMs, durationMs) * pxPerMs}px)`;
  }, [pxPerMs, view.headPx]);
  return html`<div class="playhead" ref=${line} aria-hidden="true"></div>`;
}

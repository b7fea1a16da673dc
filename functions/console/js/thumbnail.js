// What a recording looks like in the list: a picture of a video, the shape of a sound.

import { get, mediaOf } from "./api.js";
import { prepare, useDrawing } from "./drawing.js";
import { still } from "./film.js";
import { Icon } from "./icons.js";
import { html, useEffect, useRef, useState } from "./lib.js";

const PAUSE_MS = 150; // rows that are only scrolled past ask for nothing
const POINTS = 48;
const KEPT = 400;
const AT_ONCE = 2;
const ICONS = { video: "film", audio: "wave", pattern: "pattern" };

const looks = new Map(); // asset id -> {picture} or {levels}
const waiting = [];
let busy = 0;

export function Thumbnail({ row }) {
  const canvas = useRef();
  const [look, setLook] = useState(() => looks.get(row.asset_id));
  useEffect(() => {
    if (looks.has(row.asset_id)) return setLook(looks.get(row.asset_id));
    setLook(undefined);
    let gone = false;
    const timer = setTimeout(() => queued(() => (gone ? null : lookOf(row))).then((found) => !gone && found && setLook(found)), PAUSE_MS);
    return () => ((gone = true), clearTimeout(timer));
  }, [row.asset_id, row.state]);
  useDrawing(() => look && draw(canvas.current, look), [look]);
  return html`<span class=${`thumb ${ICONS[row.kind] ?? "wave"}`}>
    ${look ? html`<canvas ref=${canvas} aria-hidden="true"></canvas>` : html`<${Icon} name=${ICONS[row.kind] ?? "wave"} size=${18} />`}
  </span>`;
}

async function lookOf(row) {
  const found = row.kind === "video" ? await pictureOf(row) : row.kind === "audio" ? await levelsOf(row) : null;
  if (!found) return null;
  looks.set(row.asset_id, found);
  if (looks.size > KEPT) looks.delete(looks.keys().next().value);
  return found;
}

async function pictureOf({ asset_id: id, duration_ms: length }) {
  const picture = await still(mediaOf(id), Math.min(5000, (length ?? 0) / 3));
  return picture && { picture };
}

async function levelsOf({ asset_id: id }) {
  const { levels } = await get(`/assets/${id}/levels?points=${POINTS}`).catch(() => ({ levels: [] }));
  return levels.length ? { levels } : null;
}

/** A few at once: each is a connection, and a video's a decoder. */
function queued(work) {
  return new Promise((done) => {
    waiting.push(() => work()?.then(done, () => done(null)) ?? done(null));
    pump();
  });
}

function pump() {
  while (busy < AT_ONCE && waiting.length) {
    busy += 1;
    Promise.resolve(waiting.pop()()).finally(() => ((busy -= 1), pump())); // the newest are those on screen
  }
}

function draw(canvas, { picture, levels }) {
  const { context, width, height } = prepare(canvas);
  if (picture) {
    const scale = Math.max(width / picture.width, height / picture.height);
    const [wide, high] = [width / scale, height / scale];
    context.drawImage(picture, (picture.width - wide) / 2, (picture.height - high) / 3, wide, high, 0, 0, width, height);
    return;
  }
  context.fillStyle = getComputedStyle(canvas).color;
  const step = width / levels.length;
  levels.forEach((level, at) => {
    const tall = Math.max(1, level ** 2 * (height - 4)); // so that speech doesn't fill it
    context.fillRect(at * step, (height - tall) / 2, Math.max(1, step - 1), tall);
  });
}

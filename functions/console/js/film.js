// A film strip under the shots: pictures of the recording, taken by a video element of its own.

import { prepare } from "./drawing.js";
import { html, useEffect, useRef } from "./lib.js";

const WIDTH_PX = 76;
const KEPT = 200;
const STEPS_MS = [40, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 30_000, 60_000, 120_000, 300_000];

export function Film({ url, shown, view, durationMs }) {
  const canvas = useRef();
  const taker = useRef();
  useEffect(() => {
    taker.current = new Taker(url);
    return () => taker.current.close();
  }, [url]);
  useEffect(() => {
    const step = STEPS_MS.find((one) => one * shown.pxPerMs >= WIDTH_PX) ?? STEPS_MS.at(-1);
    const first = Math.floor(shown.fromMs / step) * step;
    const times = [];
    for (let at = first; at < Math.min(durationMs, shown.toMs); at += step) times.push(at);
    const paint = () => canvas.current && draw(canvas.current, taker.current, times, step, shown);
    paint();
    return taker.current.want(times, paint);
  }, [url, shown.fromMs, shown.pxPerMs, view.widthPx]);
  return html`<canvas class="tl-canvas film" ref=${canvas} style=${{ width: `${view.widthPx}px` }} aria-hidden="true"></canvas>`;
}

function draw(canvas, taker, times, step, shown) {
  const { context, height, scale } = prepare(canvas);
  const width = step * shown.pxPerMs * scale;
  for (const at of times) {
    const picture = taker.pictures.get(at);
    if (!picture) continue;
    const x = (at - shown.fromMs) * shown.pxPerMs * scale;
    const aspect = Math.min(picture.width / picture.height, width / height); // cover the cell
    const wide = picture.height * aspect;
    const high = (wide * height) / width;
    context.drawImage(picture, (picture.width - wide) / 2, (picture.height - high) / 3, wide, high, x, 0, width - scale, height);
  }
}

/** Seeks through the video and keeps small pictures of it. */
class Taker {
  pictures = new Map();
  #wanted = [];
  #changed = () => {};
  #busy = false;

  constructor(url) {
    this.video = document.createElement("video");
    Object.assign(this.video, { muted: true, preload: "auto", src: url });
  }

  /** Take pictures at these times; `changed` is called after each. Returns how to stop. */
  want(times, changed) {
    this.#wanted = times.filter((at) => !this.pictures.has(at));
    this.#changed = changed;
    this.#next();
    return () => {
      this.#wanted = [];
    };
  }

  close() {
    this.#wanted = [];
    this.video.removeAttribute("src");
    this.video.load();
    for (const picture of this.pictures.values()) picture.close();
  }

  async #next() {
    if (this.#busy) return;
    this.#busy = true;
    while (this.#wanted.length) {
      const at = this.#wanted.shift();
      const picture = await this.#take(at);
      if (!picture) break;
      this.pictures.set(at, picture);
      if (this.pictures.size > KEPT) this.pictures.delete(this.pictures.keys().next().value);
      this.#changed();
    }
    this.#busy = false;
  }

  #take(atMs) {
    const { video } = this;
    return new Promise((done) => {
      video.onseeked = async () => {
        const height = 96;
        const width = Math.round((height * video.videoWidth) / video.videoHeight) || 1;
        done(await createImageBitmap(video, { resizeWidth: width, resizeHeight: height }).catch(() => null));
      };
      video.onerror = () => done(null);
      video.currentTime = atMs / 1000 + 0.001;
    });
  }
}

/** One picture of a video or a photograph, small; null where the browser can't show it. */
export async function still(url, atMs) {
  return withVideo(url, atMs, (video) => {
    const height = 96;
    const width = Math.round((height * (video.videoWidth ?? video.width)) / (video.videoHeight ?? video.height)) || 1;
    return createImageBitmap(video, { resizeWidth: width, resizeHeight: height }).catch(() => null);
  });
}

/** One picture of a video, cut to a box in parts of the width and height; for a face's portrait. */
export async function portrait(url, atMs, box, canvas) {
  await withVideo(url, atMs, (video) => {
    const [wide, high] = [video.videoWidth ?? video.width, video.videoHeight ?? video.height];
    const side = Math.min(Math.max(box.width * wide, box.height * high) * 1.5, wide, high);
    const x = Math.min(Math.max(0, (box.x + box.width / 2) * wide - side / 2), wide - side);
    const y = Math.min(Math.max(0, (box.y + box.height / 2) * high - side / 2), high - side);
    const { context, width, height } = prepare(canvas);
    context.drawImage(video, x, y, side, side, 0, 0, width, height);
  });
}

/** Use a video as it stands at a time, or a photograph. */
export async function withVideo(url, atMs, use) {
  const video = document.createElement("video");
  Object.assign(video, { muted: true, preload: "auto", src: url });
  await new Promise((done) => {
    video.onseeked = done;
    video.onerror = done;
    video.currentTime = atMs / 1000 + 0.001;
  });
  const picture = video.videoWidth ? video : await photograph(url);
  const made = picture ? await use(picture) : null;
  video.removeAttribute("src");
  video.load();
  return made;
}

async function photograph(url) {
  const abort = new AbortController();
  const answer = await fetch(url, { signal: abort.signal });
  if (answer.headers.get("content-type")?.startsWith("image/")) return createImageBitmap(await answer.blob()).catch(() => null);
  abort.abort(); // a video that the browser can't play may be large
  return null;
}

// Uploads by resumable sessions, in pieces, so that a broken connection costs one piece at most.

import { ApiError, call } from "./api.js";
import { track } from "./live.js";
import { store } from "./store.js";

const PIECE_BYTES = 8 << 20; // a multiple of 256 KiB, as the protocol demands
const AT_ONCE = 2;
const RETRIES = 4;

/** `{key, name, size, sent, state: waiting|sending|done|failed|cancelled, error, runId}`, newest first. */
export const uploads = store([]);

let counted = 0;

/** Take files in; each opens a run of its own. */
export function take(files) {
  const added = [...files].map((file) => ({
    key: `upload-${(counted += 1)}`,
    file,
    name: file.name,
    size: file.size,
    sent: 0,
    state: "waiting",
    error: null,
    runId: null,
    abort: new AbortController(),
  }));
  uploads.set((list) => [...added.reverse(), ...list]);
  next();
}

/** Try a failed one again. */
export function again(key) {
  change(key, { state: "waiting", error: null, sent: 0, abort: new AbortController() });
  next();
}

export function cancel(key) {
  const upload = uploads.get().find((one) => one.key === key);
  change(key, { state: "cancelled" });
  upload?.abort.abort();
  next();
}

export const dismiss = (key) => uploads.set((list) => list.filter((one) => one.key !== key));

const change = (key, changes) =>
  uploads.set((list) => list.map((one) => (one.key === key ? { ...one, ...changes } : one)));

function next() {
  const list = uploads.get();
  const free = AT_ONCE - list.filter((one) => one.state === "sending").length;
  const waiting = list.filter((one) => one.state === "waiting").reverse().slice(0, Math.max(0, free));
  for (const upload of waiting) run(upload);
}

async function run(upload) {
  const { key, abort } = upload;
  change(key, { state: "sending" });
  try {
    const runId = await send(upload);
    change(key, { state: "done", sent: upload.size, runId });
    track(runId);
  } catch (failure) {
    if (!abort.signal.aborted) change(key, { state: "failed", error: failure.error ?? { message: String(failure) } });
  }
  next();
}

async function send({ key, file, name, size, abort }) {
  const { signal } = abort;
  const session = await call("/uploads", {
    method: "POST",
    body: { name, size_bytes: size, ...(file.type ? { content_type: file.type } : {}) },
    signal,
  });
  const told = (sent) => change(key, { sent });
  let at = 0;
  for (let failures = 0; ; ) {
    try {
      const answer = await put(session.upload_url, file, at, signal, told);
      if (answer.done) break;
      at = answer.received;
      failures = 0;
    } catch (failure) {
      if (signal.aborted || failure.status || (failures += 1) > RETRIES) throw failure;
      await new Promise((go) => setTimeout(go, 500 * 2 ** failures));
      const answer = await ask(session.upload_url, size, signal).catch(() => null);
      if (answer?.done) break;
      at = answer?.received ?? at;
    }
  }
  return (await call(session.links.self, { signal })).run_id;
}

/** Send one piece from `at` on; tells how far it is. */
function put(url, file, at, signal, told) {
  const end = Math.min(file.size, at + PIECE_BYTES);
  const whole = at === 0 && end === file.size;
  const range = whole ? null : `bytes ${at}-${end - 1}/${file.size}`;
  return request(url, whole ? file : file.slice(at, end), range, signal, (sent) => told(at + sent));
}

/** How much has arrived. */
const ask = (url, size, signal) => request(url, null, `bytes */${size}`, signal, () => {});

/** XMLHttpRequest, because fetch tells nothing of how much it has sent. */
function request(url, body, range, signal, told) {
  return new Promise((done, fail) => {
    const xhr = new XMLHttpRequest();
    xhr.open("PUT", url);
    if (range) xhr.setRequestHeader("Content-Range", range);
    xhr.upload.onprogress = (event) => told(event.loaded);
    xhr.onload = () => {
      const received = Number(/-(\d+)$/.exec(xhr.getResponseHeader("Range") ?? "")?.[1] ?? -1) + 1;
      if (xhr.status === 308) done({ done: false, received });
      else if (xhr.status < 300) done({ done: true });
      else fail(new ApiError(errorIn(xhr), xhr.status));
    };
    xhr.onerror = () => fail(new ApiError({ code: "offline", message: "the connection broke" }));
    xhr.onabort = () => fail(new ApiError({ code: "cancelled", message: "cancelled" }));
    signal.addEventListener("abort", () => xhr.abort(), { once: true });
    xhr.send(body);
  });
}

function errorIn(xhr) {
  try {
    return JSON.parse(xhr.responseText).error;
  } catch {
    return { code: `http_${xhr.status}`, message: xhr.statusText || "the upload was refused" };
  }
}

// Uploads by resumable sessions, in pieces: what breaks costs one piece at most. While the server is
// away an upload waits and then goes on; after a reload of the page it goes on once its file is
// chosen again.

import { ApiError, call } from "./api.js";
import { track } from "./live.js";
import { kept, store } from "./store.js";

const PIECE_BYTES = 8 << 20; // a multiple of 256 KiB, as the protocol demands
const AT_ONCE = 2;
const PAUSE_MS = [500, 1000, 2000, 4000, 8000];
const PASSING = new Set([0, 408, 409, 429, 502, 503, 504]); // 409: the broken request still holds it

/**
 * `{key, name, size, sent, state, error, runId}`, newest first. `state`: waiting, sending, away (the
 * server does not answer), cut (its file must be chosen again), done, failed, cancelled.
 */
export const uploads = store([]);

/** File's fingerprint -> upload id, of what is under way. */
const begun = kept("uploads", {});
const fingerprint = ({ name, size, lastModified }) => `${name}|${size}|${lastModified}`;

let counted = 0;

/** Take files in; each opens a run of its own, or goes on with an upload that was cut off. */
export function take(files) {
  const added = [...files].map((file) => row({ file, name: file.name, size: file.size, print: fingerprint(file) }));
  const prints = new Set(added.map((one) => one.print));
  uploads.set((list) => [...added.reverse(), ...list.filter((one) => one.state !== "cut" || !prints.has(one.print))]);
  next();
}

const row = (given) => ({
  key: `upload-${(counted += 1)}`,
  sent: 0,
  state: "waiting",
  error: null,
  runId: null,
  once: crypto.randomUUID?.() ?? `${Date.now()}-${counted}`,
  abort: new AbortController(),
  ...given,
});

/** Show what a reload of the page cut off. */
export async function findCutOff() {
  for (const [print, id] of Object.entries(begun.get())) {
    const session = await call(`/uploads/${id}`).catch((failure) => failure);
    if (session.state === "open") {
      const { name, size_bytes: size, received_bytes: sent } = session;
      uploads.set((list) => (list.some((one) => one.print === print) ? list : [...list, row({ name, size, sent, print, state: "cut" })]));
    } else if (session.state === "complete" || session.status === 404) forget(print);
  }
}

const forget = (print) => begun.set(({ [print]: _, ...others }) => others);

/** Try a failed one again, from where it stopped. */
export function again(key) {
  change(key, { state: "waiting", error: null, abort: new AbortController() });
  next();
}

/** Give one up, here and on the server. */
export function cancel(key) {
  const upload = uploads.get().find((one) => one.key === key);
  const id = begun.get()[upload.print];
  change(key, { state: "cancelled" });
  upload.abort.abort();
  if (id) call(`/uploads/${id}`, { method: "DELETE" }).catch(() => {}); // it expires by itself, too
  forget(upload.print);
  next();
}

export const dismiss = (key) => uploads.set((list) => list.filter((one) => one.key !== key));

const change = (key, changes) =>
  uploads.set((list) => list.map((one) => (one.key === key ? { ...one, ...changes } : one)));

function next() {
  const list = uploads.get();
  const free = AT_ONCE - list.filter((one) => one.state === "sending" || one.state === "away").length;
  const waiting = list.filter((one) => one.state === "waiting").reverse().slice(0, Math.max(0, free));
  for (const upload of waiting) run(upload);
}

async function run(upload) {
  const { key, abort, print } = upload;
  change(key, { state: "sending" });
  try {
    const runId = await send(upload);
    change(key, { state: "done", sent: upload.size, runId });
    forget(print);
    track(runId);
  } catch (failure) {
    if (!abort.signal.aborted) change(key, { state: "failed", error: failure.error ?? { message: String(failure) } });
  }
  next();
}

async function send(upload) {
  const { key, file, size, abort: { signal } } = upload;
  const session = await patiently(upload, () => open(upload));
  let at = session.received_bytes;
  for (let done = session.state === "complete"; !done; ) {
    const answer = await patiently(upload, async (broke) => {
      if (broke) at = null; // whatever of the piece has arrived stays
      if (at === null) {
        const told = await ask(session.upload_url, size, signal);
        if (told.done) return told;
        at = told.received;
      }
      return put(session.upload_url, file, at, signal, (sent) => change(key, { sent }));
    });
    ({ done } = answer);
    at = answer.received;
  }
  return (await patiently(upload, () => call(session.links.self, { signal }))).run_id;
}

/** Do it, and do it again for as long as the server is away. `act` hears whether it broke before. */
async function patiently({ key, abort: { signal } }, act) {
  for (let failures = 0; ; failures += 1) {
    try {
      const answer = await act(failures > 0);
      if (failures) change(key, { state: "sending" });
      return answer;
    } catch (failure) {
      if (signal.aborted || !PASSING.has(failure.status)) throw failure;
      change(key, { state: "away" });
      await new Promise((go) => setTimeout(go, PAUSE_MS[Math.min(failures, PAUSE_MS.length - 1)]));
      if (signal.aborted) throw failure;
    }
  }
}

/** The session that was begun for this very file, or a new one. */
async function open({ file, name, size, print, once, abort: { signal } }) {
  const known = begun.get()[print];
  if (known) {
    const session = await call(`/uploads/${known}`, { signal }).catch((failure) => {
      if (failure.status !== 404) throw failure;
      forget(print);
    });
    if (session) return session;
  }
  const session = await call("/uploads", {
    method: "POST",
    body: { name, size_bytes: size, ...(file.type ? { content_type: file.type } : {}) },
    headers: { "Idempotency-Key": once },
    signal,
  });
  begun.set((now) => ({ ...now, [print]: session.upload_id }));
  return session;
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

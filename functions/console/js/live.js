// Runs as they go: one stream of server-sent events for all that are under way, and a slow poll for
// those that somebody else has begun.

import { get } from "./api.js";
import { store } from "./store.js";

const POLL_MS = 4000;
const BEATS_A_ROUND = 15; // each round all are read again: somebody else may have put an old one back
const SHOWN = 40;
const FOLLOWED = 50;

/** Runs, newest first, without artifacts (`steps` hold `artifact_ids`). `null`: not read yet. */
export const runs = store(null);
/** Does the server answer? */
export const online = store(true);

const finishedListeners = new Set();
let stream = null;
let streamed = "";

const SETTLED = new Set(["done", "cached", "skipped", "degraded", "failed"]);
export const settled = (run) => SETTLED.has(run.state);

/** Call back with each run that finishes; returns how to stop that. */
export function onFinished(listener) {
  finishedListeners.add(listener);
  return () => finishedListeners.delete(listener);
}

/** Wait until the run has finished; resolves to the run with its artifacts. */
export function whenFinished(runId) {
  return new Promise((done) => {
    const stop = onFinished((run) => {
      if (run.run_id !== runId) return;
      stop();
      done(run);
    });
    track(runId);
  });
}

/** Follow a run that was just opened. It may not be listed for a moment yet. */
export async function track(runId) {
  pending.add(runId);
  for (let tries = 0; tries < 60; tries += 1) {
    await refresh();
    if ((runs.get() ?? []).some((run) => run.run_id === runId)) return;
    await new Promise((go) => setTimeout(go, 250));
  }
}

// Whoever brings the news that a run has settled (the stream, the poll), it is told on once.
const pending = new Set();
runs.subscribe((list) => {
  for (const run of list ?? []) {
    if (!settled(run)) pending.add(run.run_id);
    else if (pending.delete(run.run_id)) get(`/runs/${run.run_id}`).then(announce, () => pending.add(run.run_id));
  }
});

/** Begin; once, when the page loads. */
export function begin() {
  let beats = 0;
  const beat = async () => {
    if (!document.hidden && (beats % BEATS_A_ROUND === 0 || (await hasNews()))) await refresh();
    beats += 1;
    setTimeout(beat, POLL_MS);
  };
  beat();
}

/** Is the newest run another one than is known? What is under way is told by the stream. */
async function hasNews() {
  const known = runs.get()?.[0];
  const told = !streamed || stream?.readyState === EventSource.OPEN;
  if (!known || !online.get() || !told) return true;
  try {
    const [newest] = (await get("/runs?limit=1")).runs;
    return newest?.run_id !== known.run_id;
  } catch {
    return true; // refresh tells why
  }
}

/** Read the newest runs. */
export async function refresh() {
  try {
    const page = await get(`/runs?limit=${SHOWN}`);
    online.set(true);
    runs.set(page.runs);
    follow();
  } catch (failure) {
    if (failure.status) throw failure;
    online.set(false);
  }
}

function merge(run) {
  runs.set((list) => {
    const others = (list ?? []).filter((one) => one.run_id !== run.run_id);
    return [...others, run].sort((a, b) => b.created_at - a.created_at);
  });
}

function mergeStep(row) {
  runs.set((list) =>
    (list ?? []).map((run) =>
      run.run_id === row.run_id
        ? { ...run, steps: run.steps.map((step) => (step.step === row.step ? { ...step, ...row } : step)) }
        : run,
    ),
  );
}

const compact = (run) => ({
  ...run,
  steps: run.steps.map(({ artifacts, ...step }) => ({
    ...step,
    artifact_ids: step.artifact_ids ?? (artifacts ?? []).map((one) => one.artifact_id),
  })),
});

function announce(run) {
  for (const listener of [...finishedListeners]) listener(run);
}

function follow() {
  const active = (runs.get() ?? []).filter((run) => !settled(run)).slice(0, FOLLOWED);
  const query = active.map((run) => `run=${run.run_id}`).sort().join("&");
  if (query === streamed) return;
  stream?.close();
  streamed = query;
  stream = query ? open(query) : null;
}

function open(query) {
  const source = new EventSource(`/runs/events?${query}`);
  const data = (event) => JSON.parse(event.data);
  source.addEventListener("run", (event) => merge(compact(data(event))));
  source.addEventListener("step", (event) => mergeStep(data(event)));
  source.addEventListener("finished", (event) => {
    merge(compact(data(event)));
    follow(); // the stream ends after the last run's; it is closed before it would reconnect
  });
  source.onerror = () => {
    if (source.readyState === EventSource.CLOSED && streamed === query) streamed = ""; // the next poll reopens it
  };
  return source;
}

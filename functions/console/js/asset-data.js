// All that the page shows of one recording, read anew when a run on it finishes.

import { all, get, jsonOf } from "./api.js";

/**
 * `{asset, runs, steps, artifacts, found}`. `steps`: step -> `{row, run, artifacts}` of the newest run
 * that delivered it, and `last`: step -> `{row, run}` of the newest run at all. `found`: what the lanes are made of.
 */
export async function readAsset(assetId, signal) {
  const path = `/assets/${encodeURIComponent(assetId)}`;
  const [asset, runs, list] = await Promise.all([
    get(path, signal),
    all(`/runs?asset_id=${encodeURIComponent(assetId)}`, "runs", signal),
    all(`${path}/artifacts`, "artifacts", signal),
  ]);
  const artifacts = new Map(list.map((one) => [one.artifact_id, one]));
  const steps = new Map();
  const last = new Map();
  for (const run of runs) {
    for (const row of run.steps) {
      if (!last.has(row.step)) last.set(row.step, { row, run });
      if (steps.has(row.step) || !DELIVERED.has(row.state)) continue;
      const made = (row.artifact_ids ?? []).map((id) => artifacts.get(id)).filter(Boolean);
      if (made.some((one) => one.kind === "audio_excerpt")) continue; // something was tried, and nothing made
      steps.set(row.step, { row, run, artifacts: made });
    }
  }
  return { asset, runs, steps, last, artifacts, found: await readFound(steps, signal) };
}

const DELIVERED = new Set(["done", "cached", "degraded"]);

const SOURCES = {
  hits: ["detect.hits", "audio_hits", "audio_hit"],
  loops: ["detect.loops", "audio_loops", "audio_loop"],
  phrases: ["detect.phrases", "audio_phrases", "audio_phrase"],
  semantics: ["transcribe.semantics", "audio_semantic_timeline"],
  transcript: ["transcribe.captions", "asr_transcript"],
  visual: ["detect.visual_meta", "visual_meta"],
  regions: ["detect.regions", "video_region_summary"],
  words: ["transcribe.words", "audio_words"],
  cuts: ["edit.cut", "edit_list"],
  coverage: ["anonymise.faces", "video_coverage_report"],
  loudness: ["transform.loudness", "audio_loudness"],
};

async function readFound(steps, signal) {
  const read = async ([name, [step, summaryKind, fileKind]]) => {
    const made = steps.get(step)?.artifacts ?? [];
    const summary = made.find((one) => one.kind === summaryKind);
    if (!summary) return null;
    const json = await cached(summary, signal);
    const artifacts = made.filter((one) => one.kind === fileKind);
    return [name, { json, meta: summary.meta, artifact: summary, artifacts }];
  };
  const pairs = await Promise.all(Object.entries(SOURCES).map(read));
  return Object.fromEntries(pairs.filter(Boolean));
}

// An artifact never changes, so its content is read once.
const contents = new Map();
async function cached(artifact, signal) {
  const id = artifact.artifact_id;
  if (!contents.has(id)) contents.set(id, await jsonOf(artifact, signal));
  return contents.get(id);
}

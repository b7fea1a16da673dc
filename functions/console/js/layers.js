// Artifacts' JSON -> lanes of the time axis. A lane is `{id, title, form, color, items, note}`;
// an item `{id, lane, startMs, endMs, label, title, score, artifact, facts}`, times in ms of the recording.

import { count, decimal, length, percent, time } from "./format.js";

const EVENT_COLORS = { speech: "speech", music: "music", silence: "silence", other: "other" };

/** All lanes for what was found. `found`: see asset-data.js. */
export function lanesOf(found) {
  const lanes = [
    loudness(found.semantics),
    events(found.semantics),
    words(found.transcript),
    segments(found.phrases, "phrases", "Phrases", "blocks", phraseWords),
    segments(found.loops, "loops", "Loops", "blocks", loopWords),
    segments(found.hits, "hits", "Hits", "hits", hitWords),
    beats(found.semantics, found.loops),
    shots(found.visual),
    faces(found.regions, found.coverage),
  ];
  return lanes.filter(Boolean);
}

const item = (lane, at, startMs, endMs, label, title, facts, more = {}) => ({
  id: `${lane}-${at + 1}`,
  lane,
  startMs,
  endMs,
  label,
  title: `${title}, ${time(startMs)} to ${time(endMs)}`,
  facts: [["From", time(startMs, 3)], ["To", time(endMs, 3)], ["Length", length(endMs - startMs)], ...facts],
  ...more,
});

/** Hits, loops, phrases: each has a file of its own. */
function segments(found, id, title, form, words) {
  if (!found?.json) return null;
  const files = new Map(found.artifacts.map((one) => [one.meta.name, one]));
  const items = found.json.segments.map((row, at) => {
    const [label, spoken, facts] = words(row, at);
    const artifact = files.get(row.artifact);
    const scored = [["Score", decimal(row.score, 2)], ["Confidence", percent(row.confidence)]];
    return item(id, at, row.start_ms, row.end_ms, label, spoken, [...facts, ...scored], {
      score: row.score,
      artifact,
      onsetMs: row.onset_ms,
    });
  });
  if (form === "hits") untilNext(items);
  return { id, title, form, color: id, items, note: stubNote(found.meta) };
}

/** Hits overlap, as they ring out: each is drawn until the next begins. */
function untilNext(items) {
  items.sort((a, b) => a.startMs - b.startMs);
  items.forEach((one, at) => {
    one.drawnEndMs = Math.min(one.endMs, items[at + 1]?.startMs ?? Infinity);
  });
}

const hitWords = (row, at) => [
  String(at + 1),
  `Hit ${at + 1}`,
  [
    ["Onset", time(row.onset_ms, 3)],
    ["Peak", `${decimal(row.peak_dbfs)} dBFS`],
    ["Brightness", row.brightness_hz ? `${Math.round(row.brightness_hz).toLocaleString("en")} Hz` : "–"],
  ],
];

const loopWords = (row, at) => [
  `${decimal(row.bpm)} BPM · ${count(row.bars, "bar")}`,
  `Loop ${at + 1}, ${count(row.bars, "bar")} at ${decimal(row.bpm)} BPM`,
  [
    ["Tempo", `${decimal(row.bpm, 2)} BPM`],
    ["Bars", `${row.bars} × ${row.beats_per_bar ?? 4}/4`],
    ["Sameness", row.similarity == null ? "–" : percent(row.similarity)],
  ],
];

const phraseWords = (row, at) => [
  row.transcript || `Phrase ${at + 1}`,
  row.transcript ? `Phrase ${at + 1}, “${row.transcript}”` : `Phrase ${at + 1}`,
  [
    ["Says", row.transcript || "not transcribed"],
    ["Peak", row.peak_dbfs == null ? "–" : `${decimal(row.peak_dbfs)} dBFS`],
  ],
];

function events(found) {
  if (!found?.json) return null;
  const items = found.json.events.map((row, at) => {
    const name = row.kind.charAt(0).toUpperCase() + row.kind.slice(1);
    const facts = [
      ["Loudness", row.loudness_lufs == null ? "below −70 LUFS" : `${decimal(row.loudness_lufs)} LUFS`],
      ["Confidence", row.confidence == null ? "–" : percent(row.confidence)],
    ];
    if (row.speaker_id) facts.push(["Speaker", row.speaker_id.replace("_", " ")]);
    if (row.transcription) facts.push(["Says", row.transcription]);
    const label = row.transcription ? `${name} · ${row.transcription}` : name;
    return item("events", at, row.start_ms, row.end_ms, label, name, facts, {
      color: EVENT_COLORS[row.kind] ?? "other",
      quiet: row.kind === "silence" || row.kind === "other",
    });
  });
  return { id: "events", title: "Speech & music", form: "band", color: "speech", items, note: stubNote(found.meta) };
}

function beats(found, loops) {
  const rows = found?.json?.beats?.length
    ? found.json.beats
    : (loops?.json?.segments.length ? loops.json.beats_ms : []).map((time_ms) => ({ time_ms }));
  if (!rows.length) return null;
  const usual = median(rows.slice(1).map((row, at) => row.time_ms - rows[at].time_ms)) || 500;
  const items = rows.map((row, at) => {
    const next = rows[at + 1]?.time_ms ?? row.time_ms + usual;
    const end = Math.min(next, row.time_ms + 2 * usual);
    const strong = row.subdivision === 1;
    const place = row.bar_index == null ? `Beat ${at + 1}` : `Bar ${row.bar_index + 1}, beat ${row.subdivision}`;
    const facts = [["Tempo here", `${decimal(60_000 / (end - row.time_ms))} BPM`]];
    return item("beats", at, row.time_ms, end, strong ? String(row.bar_index + 1) : "", place, facts, { strong });
  });
  return { id: "beats", title: "Beats", form: "ticks", color: "beats", items };
}

function words(found) {
  if (!found?.json) return null;
  const { words: rows, speech } = found.json;
  if (!rows.length) {
    const items = speech.map((row, at) =>
      item("words", at, row.start_ms, row.end_ms, "speech, not transcribed", "Speech", [["Says", "not transcribed"]], { quiet: true }),
    );
    return items.length ? { id: "words", title: "Words", form: "blocks", color: "words", items } : null;
  }
  const items = rows.map((row, at) =>
    item("words", at, row.start_ms, row.end_ms, row.text, `“${row.text}”`, [
      ["Says", row.text],
      ["Sure", percent(row.probability)],
      ["Time", row.timing === "aligned" ? "heard" : "estimated"],
    ], { quiet: row.timing !== "aligned" }),
  );
  return { id: "words", title: "Words", form: "blocks", color: "words", items, note: stubNote(found.meta) };
}

function shots(found) {
  if (!found?.json) return null;
  const items = found.json.shots.map((row, at) =>
    item("shots", at, row.start_ms, row.end_ms, `Shot ${at + 1}`, `Shot ${at + 1}`, [
      ["Frames", `${row.first_frame}–${row.last_frame}`],
    ]),
  );
  return { id: "shots", title: "Shots", form: "film", color: "shots", items, note: stubNote(found.meta) };
}

function faces(found, coverage) {
  if (!found?.json?.tracks?.length) return null;
  const actions = new Map((coverage?.json?.tracks ?? []).map((row) => [row.track_id, row.action]));
  const items = found.json.tracks.map((row, at) =>
    item("faces", at, row.start_ms, row.end_ms, faceName(row.track_id), faceName(row.track_id), [
      ["Seen", count(row.detections, "time")],
      ["Confidence", `${percent(row.mean_confidence)}, at least ${percent(row.least_confidence)}`],
      ["Blur", { blur: "covered", keep: "kept visible" }[actions.get(row.track_id)] ?? "–"],
    ], { trackId: row.track_id, kept: actions.get(row.track_id) === "keep" }),
  );
  return { id: "faces", title: "Faces", form: "blocks", color: "faces", items, note: stubNote(found.meta) };
}

function loudness(found) {
  const curve = found?.json?.loudness;
  if (!curve?.lufs?.length) return null;
  return { id: "loudness", title: "Loudness", form: "curve", color: "loudness", items: [], curve };
}

/** `face_002` -> `Face 2`. */
export function faceName(trackId) {
  const [, kind, number] = /^(\w+?)_0*(\d+)$/.exec(trackId) ?? [null, trackId, ""];
  return `${kind.charAt(0).toUpperCase()}${kind.slice(1)} ${number}`.trim();
}

const stubNote = (meta) => (meta?.backend_type === "stub" ? "made by a stand-in, not by listening" : null);

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1];
}

/** Put overlapping items into rows, each into the first that is free; at most `most` rows. */
export function packed(items, most = 3) {
  const ends = [];
  return items.map((one) => {
    let row = ends.findIndex((end) => end <= one.startMs + 0.5);
    if (row < 0) row = ends.length < most ? ends.length : ends.indexOf(Math.min(...ends));
    ends[row] = one.endMs;
    return row;
  });
}

/** The items to put on screen: in the window, and, where they crowd, one in each `leastMs`. */
export function inWindow(items, fromMs, toMs, leastMs) {
  const found = [];
  let last = -Infinity;
  for (const one of items) {
    if (one.endMs < fromMs || one.startMs > toMs) continue;
    if (one.endMs - one.startMs < leastMs && one.startMs - last < leastMs) continue;
    found.push(one);
    last = one.startMs;
  }
  return found;
}

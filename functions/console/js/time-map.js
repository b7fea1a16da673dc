// What edits leave of a recording, and where it is heard: shared/editing/time_map.py, in whole samples.

const at = (ms, rate) => roundEven((ms * rate) / 1000);
const msAt = (sample, rate) => Math.round((sample * 1e9) / rate) / 1e6;

/** As Python rounds: a half goes to the even neighbour. */
function roundEven(value) {
  const rounded = Math.round(value);
  return Math.abs(value % 1) === 0.5 && rounded % 2 ? rounded - 1 : rounded;
}

/** `[{startMs, endMs, speed, newStartMs, newEndMs}]`, in order: a cut wins, and of two speeds the faster. */
export function keepsOf(edits, durationMs, rate) {
  const samples = at(durationMs, rate);
  const standing = edits.filter((one) => !one.taken_back && one.action !== "mute" && one.action !== "bleep");
  const gone = merged(standing.flatMap((one) => removed(one, rate)));
  const fast = standing.filter((one) => one.action === "speed_up").map((one) => [at(one.start_ms, rate), at(one.end_ms, rate), one.speed]);
  const borders = [...new Set([0, samples, ...gone.flat(), ...fast.flatMap(([start, end]) => [start, end])])].filter((one) => one <= samples).sort((a, b) => a - b);
  const pieces = [];
  for (let n = 0; n + 1 < borders.length; n += 1) {
    const [start, end] = [borders[n], borders[n + 1]];
    if (gone.some(([from, to]) => from <= start && end <= to)) continue;
    const speed = Math.max(1, ...fast.filter(([from, to]) => from <= start && end <= to).map((one) => one[2]));
    const last = pieces.at(-1);
    if (last && last.end === start && last.speed === speed) last.end = end;
    else pieces.push({ start, end, speed });
  }
  let now = 0;
  return pieces.flatMap(({ start, end, speed }) => {
    const length = speed === 1 ? end - start : roundEven((end - start) / speed);
    if (!length) return [];
    now += length;
    return [{ startMs: msAt(start, rate), endMs: msAt(end, rate), speed, newStartMs: msAt(now - length, rate), newEndMs: msAt(now, rate) }];
  });
}

/** What an edit takes out, in samples: all, or the middle of it. */
function removed(one, rate) {
  const [start, end] = [at(one.start_ms, rate), at(one.end_ms, rate)];
  if (one.action === "cut") return [[start, end]];
  if (one.action !== "shorten") return [];
  const left = Math.min(at(one.to_ms, rate), end - start);
  return [[start + left - Math.floor(left / 2), end - Math.floor(left / 2)]];
}

function merged(stretches) {
  const found = [];
  for (const [start, end] of stretches.sort((a, b) => a[0] - b[0] || a[1] - b[1])) {
    const last = found.at(-1);
    if (last && start <= last[1]) last[1] = Math.max(end, last[1]);
    else if (end > start) found.push([start, end]);
  }
  return found;
}

/** Where a time of the recording is heard; what was cut: at the join. */
export function toNewMs(keeps, ms) {
  const keep = keeps.findLast((one) => one.startMs <= ms);
  return keep ? Math.min(keep.newStartMs + (ms - keep.startMs) / keep.speed, keep.newEndMs) : 0;
}

/** Which time of the recording is heard there. */
export function toOldMs(keeps, newMs) {
  const keep = keeps.findLast((one) => one.newStartMs <= newMs) ?? keeps[0];
  return keep ? Math.min(keep.startMs + (newMs - keep.newStartMs) * keep.speed, keep.endMs) : 0;
}

/** Where, in the new time, what was apart meets. */
export const joinsOf = (keeps) => keeps.slice(1).filter((one, n) => keeps[n].endMs < one.startMs).map((one) => one.newStartMs);

/** Is this stretch heard at all? */
export const heard = (keeps, startMs, endMs) => keeps.some((one) => one.startMs < endMs && startMs < one.endMs && Math.min(endMs, one.endMs) - Math.max(startMs, one.startMs) > 0.3 * (endMs - startMs));

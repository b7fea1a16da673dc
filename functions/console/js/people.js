// Who is whom: the tracks of one person in several shots become one tile. By looks alone, out of one
// recording: light and shade of the face, colours of hair and clothes. It is a proposal: a wrong one is put
// right by hand, and whoever is in two places at once is two people.

import { withVideo } from "./film.js";
import { FaceLook, likeness } from "./looks.js";

const SAME = 0.78; // of three people in five shots: 0.90 and 0.97 where it is the same one, 0.66 and less where not
const PICTURES = 3; // of each track

/** `[[track id, ...], ...]` in order of appearance, of tracks with `looks` (track id -> FaceLook). */
export function people(tracks, looks) {
  const groups = tracks.map((track) => [track]);
  for (;;) {
    let best = { of: SAME };
    for (let a = 0; a < groups.length; a += 1) {
      for (let b = a + 1; b < groups.length; b += 1) {
        const of = together(groups[a], groups[b], looks);
        if (of >= best.of) best = { of, a, b };
      }
    }
    if (best.a === undefined) break;
    groups[best.a].push(...groups.splice(best.b, 1)[0]);
  }
  return groups.map((group) => group.map((track) => track.track_id));
}

/** The mean likeness of two groups; 0 where two of them are seen at once, or one was never seen well. */
function together(one, other, looks) {
  let sum = 0;
  for (const a of one) {
    for (const b of other) {
      if (a.start_ms < b.end_ms && b.start_ms < a.end_ms) return 0;
      sum += likeness(looks.get(a.track_id), looks.get(b.track_id));
    }
  }
  return sum / (one.length * other.length);
}

/** Look at each track where it is seen best; calls `onLook(trackId, look)` one after another. */
export async function lookAt(url, regions, onLook, signal) {
  for (const track of regions.tracks) {
    const look = new FaceLook();
    for (const { time_ms: atMs, box } of bestViews(regions, track.track_id)) {
      if (signal.aborted) return;
      await withVideo(url, atMs, (video) => look.add(video, box));
    }
    onLook(track.track_id, look);
  }
}

/** Where a track is seen best: `[{time_ms, box}]`, the box in parts of the picture; apart from each other. */
export function bestViews({ frames, width, height }, trackId, most = PICTURES) {
  const seen = frames.flatMap((frame) => frame.regions.filter((one) => one.track_id === trackId && (one.origin ?? "detected") === "detected")
    .map((one) => ({ time_ms: frame.time_ms, confidence: one.confidence, box: { x: one.x / width, y: one.y / height, width: one.width / width, height: one.height / height } })));
  const parts = Math.min(most, seen.length);
  return Array.from({ length: parts }, (_, part) => seen
    .slice(Math.floor((part * seen.length) / parts), Math.floor(((part + 1) * seen.length) / parts))
    .reduce((best, one) => (one.confidence > best.confidence ? one : best)));
}

// The picture, with face boxes and captions over it; for sound alone, the element that plays it.

import { contentOf, mediaOf } from "./api.js";
import { takeName } from "./effects-panel.js";
import { faceName } from "./layers.js";
import { html, useEffect, useRef } from "./lib.js";
import { kindTitle } from "./pipeline.js";
import { useStore } from "./store.js";

const SAME_TIME = ["video_anonymised", "audio_normalised"];
const TAKES = ["audio_fx", "audio_macro"]; // earlier ones stand beside newer ones, to choose from

/** What can be listened to on the recording's own time axis. `sounds`: it is known to have sound. */
export function versionsOf(data) {
  const { asset, steps } = data;
  const versions = [];
  if (asset.media.audio?.length || asset.media.video?.length) {
    versions.push({ id: "original", title: "Original", url: mediaOf(asset.asset_id), video: asset.media.video?.length > 0, picture: asset.content_type.startsWith("image/") });
  }
  const newest = [...steps.values()].flatMap((row) => row.artifacts);
  const takes = [...data.artifacts.values()].filter((one) => TAKES.includes(one.kind));
  for (const artifact of [...newest.filter((one) => !TAKES.includes(one.kind)), ...takes]) {
    const { artifact_id: id, kind, content_type: type } = artifact;
    const performed = kind === "pattern_render" && type.startsWith("audio/");
    if (!performed && !SAME_TIME.includes(kind) && !TAKES.includes(kind)) continue;
    const title = TAKES.includes(kind) ? takeName(artifact) : kindTitle(kind);
    versions.push({ id, title, url: contentOf(artifact), video: /^(video|image)\//.test(type), picture: type.startsWith("image/"), sounds: performed });
  }
  return versions;
}

export function Viewer({ asset, version, found, player, showFaces, showWords, onFace, onDuration }) {
  const media = useRef();
  const hasVideo = asset.media.video?.length > 0;
  const failed = useStore(player.state, (state) => state.failed);
  useEffect(() => (media.current ? player.attach(media.current) : undefined), [player, Boolean(version)]);
  useEffect(() => {
    const element = media.current;
    if (!element || !version || version.picture || element.dataset.version === version.id) return;
    const [at, playing] = [element.currentTime, !element.paused && Boolean(element.dataset.version)];
    element.dataset.version = version.id;
    element.src = version.url;
    if (at) element.currentTime = at;
    if (playing) element.play().catch(() => {}); // the browser says so through the error event
  }, [version?.id]);
  const known = (event) => onDuration(event.target.duration * 1000);
  if (!version) return null;
  if (!hasVideo) return html`<audio ref=${media} preload="metadata" onLoadedMetadata=${known}></audio>`;
  const [stream] = asset.media.video;
  const shape = { "--aspect": stream.width / stream.height };
  return html`<figure class="viewer" style=${shape}>
    <video ref=${media} hidden=${isStill(version)} preload="auto" playsinline onClick=${() => player.toggle()} aria-label="Picture"></video>
    ${isStill(version) && html`<img src=${version.url} alt="Picture" />`}
    ${showFaces && version.id === "original" && found.regions && html`<${FaceBoxes} regions=${found.regions.json} player=${player} onFace=${onFace} />`}
    ${showWords && found.transcript?.json.cues.length > 0 && html`<${Caption} cues=${found.transcript.json.cues} player=${player} />`}
    ${!version.video && html`<p class="viewer-note">Sound alone</p>`}
    ${failed && html`<p class="viewer-note bad" role="alert">This browser cannot play it: ${failed}</p>`}
  </figure>`;
}

/** A photograph, or a picture that moves by itself: there is nothing to play. */
export const isStill = (version) => Boolean(version?.picture);

/** Boxes move with the playhead, without rendering. */
function FaceBoxes({ regions, player, onFace }) {
  const layer = useRef();
  useEffect(() => {
    const boxes = new Map([...layer.current.children].map((box) => [box.dataset.track, box]));
    return player.onTick(() => {
      const frame = at(regions.frames, player.recordingMs, (row) => row.time_ms);
      const seen = new Map((frame?.regions ?? []).map((region) => [region.track_id, region]));
      for (const [track, box] of boxes) {
        const region = seen.get(track);
        box.hidden = !region;
        if (!region) continue;
        box.style.left = `${(100 * region.x) / regions.width}%`;
        box.style.top = `${(100 * region.y) / regions.height}%`;
        box.style.width = `${(100 * region.width) / regions.width}%`;
        box.style.height = `${(100 * region.height) / regions.height}%`;
      }
    });
  }, [regions, player]);
  return html`<div class="faces-over" ref=${layer}>${regions.tracks.map((row) => html`<button type="button" key=${row.track_id} tabIndex="-1" class="face-box" hidden
    data-track=${row.track_id} aria-label=${faceName(row.track_id)} onClick=${() => onFace(row.track_id)}><span>${faceName(row.track_id)}</span></button>`)}</div>`;
}

function Caption({ cues, player }) {
  const line = useRef();
  useEffect(
    () =>
      player.onTick(() => {
        if (!line.current) return;
        const ms = player.recordingMs;
        const cue = at(cues, ms, (row) => row.start_ms);
        const text = cue && ms < cue.end_ms ? cue.text : "";
        if (line.current.textContent !== text) line.current.textContent = text;
        line.current.hidden = !text;
      }),
    [cues, player],
  );
  return html`<figcaption class="caption" ref=${line} hidden></figcaption>`;
}

/** The last row that begins at or before `ms`, by bisection. */
export function at(rows, ms, timeOf) {
  let [low, high] = [0, rows.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (timeOf(rows[middle]) <= ms) low = middle + 1;
    else high = middle;
  }
  return rows[low - 1];
}

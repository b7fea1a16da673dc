// Numbers, times and names as people read them.

/** `1:02.345`, `1:02:03.4`; `digits` after the point. */
export function time(ms, digits = 2) {
  if (ms == null || !Number.isFinite(ms)) return "–";
  const scale = 10 ** digits;
  const total = Math.round((Math.max(0, ms) / 1000) * scale);
  const seconds = Math.floor(total / scale);
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const fraction = digits ? `.${String(total % scale).padStart(digits, "0")}` : "";
  const tail = `${String(s).padStart(2, "0")}${fraction}`;
  return h ? `${h}:${String(m).padStart(2, "0")}:${tail}` : `${m}:${tail}`;
}

/** `420 ms`, `1.25 s`, `3:05`. */
export function length(ms) {
  if (ms == null) return "–";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
  return time(ms, 0);
}

/** `1.2 MB` (decimal, as file managers show it). */
export function bytes(count) {
  const units = ["B", "kB", "MB", "GB"];
  let unit = 0;
  for (; count >= 999.5 && unit < units.length - 1; unit += 1) count /= 1000;
  return `${count < 10 && unit ? count.toFixed(1) : Math.round(count)} ${units[unit]}`;
}

export const percent = (part) => `${Math.round(100 * part)} %`;

export const decimal = (value, digits = 1) =>
  value == null ? "–" : Number(value).toFixed(digits).replace("-", "−");

/** `1 hit`, `78 hits`. */
export const count = (number, one, many = `${one}s`) =>
  `${number.toLocaleString("en")} ${number === 1 ? one : many}`;

/** When, in the reader's words: `just now`, `12 min ago`, a date. */
export function ago(unixSeconds, now = Date.now() / 1000) {
  const passed = now - unixSeconds;
  if (passed < 45) return "just now";
  if (passed < 3600) return `${Math.max(1, Math.round(passed / 60))} min ago`;
  if (passed < 86_400) return `${Math.round(passed / 3600)} h ago`;
  return new Date(unixSeconds * 1000).toLocaleDateString(undefined, { dateStyle: "medium" });
}

/** What a recording is, in a few words. */
export function mediaWords(media) {
  const words = [];
  const [video] = media.video ?? [];
  const [audio] = media.audio ?? [];
  if (video) {
    words.push(`${video.width}×${video.height}`);
    if (video.frame_rate) words.push(`${Number(video.frame_rate.toFixed(2))} fps`);
  }
  if (audio) {
    words.push(`${Number((audio.sample_rate_hz / 1000).toFixed(1))} kHz`);
    words.push({ 1: "mono", 2: "stereo" }[audio.channels] ?? `${audio.channels} channels`);
  }
  return words.length ? words : [["pattern", "midi"].includes(media.container) ? "pattern" : media.container];
}

/** The same of a row of the list. */
export function rowWords({ kind, size, sample_rate_hz: rate, channels }) {
  return mediaWords({
    video: size ? [{ width: size[0], height: size[1] }] : [],
    audio: rate ? [{ sample_rate_hz: rate, channels }] : [],
    container: kind,
  });
}

/** The name that people gave a recording. */
export const assetName = (asset) => asset.sources?.[0]?.name ?? asset.asset_id;

/** The same without its extension: what files made of it are called after. */
export const assetStem = (asset) => assetName(asset).replace(/(?<=.)\.[^.]*$/, "");

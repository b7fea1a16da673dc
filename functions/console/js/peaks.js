// The waveform: peaks and power of short stretches, read once, drawn at any zoom.

import { prepare } from "./drawing.js";

const STRETCH_SAMPLES = 32;
const DECODE_HZ = 24_000;
/** Longer recordings are not decoded in the page (an hour would take gigabytes). */
export const LONGEST_DECODED_MS = 20 * 60_000;

/** Decode a file and reduce it; raises where the browser does not know the format. */
export async function readPeaks(url, signal) {
  const answer = await fetch(url, { signal });
  if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
  const context = new OfflineAudioContext(1, 1, DECODE_HZ); // resamples while it decodes
  return peaksOf(await context.decodeAudioData(await answer.arrayBuffer()));
}

/** Peaks of an AudioBuffer, its channels together. */
export function peaksOf(buffer) {
  const channels = Array.from({ length: buffer.numberOfChannels }, (_, at) => buffer.getChannelData(at));
  const stretches = Math.ceil(buffer.length / STRETCH_SAMPLES);
  const low = new Float32Array(stretches);
  const high = new Float32Array(stretches);
  const power = new Float32Array(stretches);
  for (let at = 0; at < stretches; at += 1) {
    const end = Math.min(buffer.length, (at + 1) * STRETCH_SAMPLES);
    let [least, most, sum, number] = [Infinity, -Infinity, 0, 0];
    for (const channel of channels) {
      for (let sample = at * STRETCH_SAMPLES; sample < end; sample += 1) {
        const value = channel[sample];
        if (value < least) least = value;
        if (value > most) most = value;
        sum += value * value;
        number += 1;
      }
    }
    [low[at], high[at], power[at]] = [least, most, sum / number];
  }
  return { low, high, power, perMs: buffer.sampleRate / STRETCH_SAMPLES / 1000 };
}

/** The outline that `detect.activity` keeps, for recordings that are not decoded here. */
export function outlineOf({ lowest, highest }) {
  const [low, high] = [valuesOf(lowest), valuesOf(highest)];
  const power = Float32Array.from(high, (most, at) => (Math.max(most, -low[at]) / 3) ** 2); // about what sound has
  return { low, high, power, perMs: 1 / highest.step_ms };
}

function valuesOf({ data, stored, scale }) {
  const bytes = Uint8Array.from(atob(data), (sign) => sign.charCodeAt(0));
  const Row = { int8: Int8Array, uint8: Uint8Array, int16: Int16Array }[stored];
  return Float32Array.from(new Row(bytes.buffer), (value) => value * scale);
}

/**
 * Draw `[fromMs, toMs)` over the canvas. Colours: the canvas's own `color` for the peaks; the body
 * (RMS) is the same, stronger. `gain` lifts quiet recordings.
 */
export function drawPeaks(canvas, peaks, fromMs, toMs, gain = 1) {
  const { context, width, height } = prepare(canvas);
  if (!peaks) return;
  const middle = height / 2;
  const perPixel = ((toMs - fromMs) * peaks.perMs) / width;
  const first = fromMs * peaks.perMs;
  context.fillStyle = getComputedStyle(canvas).color;
  const columns = [];
  for (let x = 0; x < width; x += 1) {
    const begin = Math.max(0, Math.floor(first + x * perPixel));
    const end = Math.min(peaks.low.length, Math.max(begin + 1, Math.floor(first + (x + 1) * perPixel)));
    if (begin >= peaks.low.length) break;
    let [least, most, power] = [Infinity, -Infinity, 0];
    for (let at = begin; at < end; at += 1) {
      if (peaks.low[at] < least) least = peaks.low[at];
      if (peaks.high[at] > most) most = peaks.high[at];
      power += peaks.power[at];
    }
    columns.push([least, most, Math.sqrt(power / (end - begin))]);
  }
  const clip = (value) => Math.max(-1, Math.min(1, value * gain)) * (middle - 1);
  context.globalAlpha = 0.5;
  columns.forEach(([least, most], x) => {
    context.fillRect(x, middle - clip(most), 1, Math.max(1, clip(most) - clip(least)));
  });
  context.globalAlpha = 1;
  columns.forEach(([, , rms], x) => context.fillRect(x, middle - clip(rms), 1, Math.max(1, 2 * clip(rms))));
}

/** The gain that lets the loudest sample reach the lane's edge, up to 24 dB. */
export function fittingGain(peaks) {
  let most = 0;
  for (const value of peaks.high) if (value > most) most = value;
  for (const value of peaks.low) if (-value > most) most = -value;
  return most > 0 ? Math.min(16, 0.95 / most) : 1;
}

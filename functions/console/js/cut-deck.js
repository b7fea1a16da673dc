// A recording as its cuts leave it, out of the original: nothing is rendered.
//   up to LONGEST_MS  Web Audio: the recording is decoded once, each kept stretch starts at its sample, and
//                     crossfades over the join as a render does
//   longer            the media element itself, which seeks at each join: a picture's length early or late,
//                     and silent for as long as the seek takes
// A picture follows by seeking the muted element: it comes a few pictures after the sound.

import { heard, toNewMs, toOldMs } from "./time-map.js";

export const LONGEST_MS = 10 * 60_000; // 230 MB of samples in stereo
const START_IN_S = 0.05;
const FADE_S = 0.01;
const LATE_S = 0.15; // a picture that is further off is put right
const BLEEP_HZ = 1000;

export class CutDeck {
  onEnded = () => {};
  playing = false;
  title = "As it is cut";
  apart = false; // its playhead is the recording's

  #keeps = [];
  #silenced = [];
  #sources = [];
  #began = 0;
  #offset = 0; // of the new time, in seconds
  #until = Infinity;
  #timer = 0;

  /** `buffer`: the decoded recording, or null for one that is too long; `element`: what shows its picture. */
  constructor(player, buffer, element) {
    Object.assign(this, { player, buffer, element });
    this.context = player.context;
    this.durationMs = buffer ? buffer.duration * 1000 : element.duration * 1000;
  }

  /** What is heard; `edits` of "mute" and "bleep" are silent, or bleep. */
  set(keeps, edits) {
    const oldMs = this.positionMs;
    const playing = this.playing;
    this.#stop();
    this.#keeps = keeps;
    this.#silenced = edits.filter((one) => !one.taken_back && (one.action === "mute" || one.action === "bleep"));
    this.#offset = toNewMs(keeps, oldMs) / 1000;
    if (playing) this.play();
  }

  get newMs() {
    if (!this.playing) return this.#offset * 1000;
    if (!this.buffer) return toNewMs(this.#keeps, this.element.currentTime * 1000);
    return (this.#offset + Math.max(0, this.context.currentTime - this.#began)) * 1000;
  }

  get positionMs() {
    return this.#keeps.length ? toOldMs(this.#keeps, this.newMs) : 0;
  }

  get #endS() {
    return (this.#keeps.at(-1)?.newEndMs ?? 0) / 1000;
  }

  play() {
    if (this.playing || !this.#keeps.length) return;
    if (this.#offset >= this.#endS - 0.01) this.#offset = 0;
    this.#began = this.context.currentTime + START_IN_S;
    this.#show(true); // the element tells where it is from now on
    this.playing = true;
    if (this.buffer) this.#schedule();
    this.#watch();
  }

  /** Play a stretch of the new time, and stop. */
  playNew(fromMs, toMs) {
    this.#stop();
    this.#offset = Math.max(0, fromMs / 1000);
    this.#until = toMs / 1000;
    this.play();
  }

  pause() {
    if (!this.playing) return;
    this.#offset = this.newMs / 1000;
    this.#stop();
  }

  seek(ms) {
    const playing = this.playing;
    this.#stop();
    this.#offset = toNewMs(this.#keeps, ms) / 1000;
    this.#show(false);
    if (playing) this.play();
  }

  /** Every kept stretch from here on, each at its moment of one clock. */
  #schedule() {
    const gain = this.context.createGain();
    gain.connect(this.player.output);
    const when = (newMs) => this.#began + newMs / 1000 - this.#offset;
    this.#sources = [{ node: gain }];
    for (const keep of this.#keeps) {
      const late = Math.max(0, this.#offset - keep.newStartMs / 1000);
      const lengthS = (keep.newEndMs - keep.newStartMs) / 1000 - late;
      if (lengthS <= 0) continue;
      this.#sources.push(this.#stretch(keep, late, lengthS, when(keep.newStartMs) + late, gain));
    }
    for (const one of this.#silenced) {
      if (!heard(this.#keeps, one.start_ms, one.end_ms)) continue;
      const [from, to] = [when(toNewMs(this.#keeps, one.start_ms)), when(toNewMs(this.#keeps, one.end_ms))];
      if (to <= this.#began) continue;
      gain.gain.setValueAtTime(0, Math.max(from, this.#began));
      gain.gain.setValueAtTime(1, to);
      if (one.action === "bleep") this.#sources.push(this.#bleep(Math.max(from, this.#began), to));
    }
  }

  /** One stretch; it fades over the join, half of which is taken from what was cut. */
  #stretch(keep, late, lengthS, at, output) {
    const fade = Math.min(FADE_S, lengthS / 2) / 2;
    const source = new AudioBufferSourceNode(this.context, { buffer: this.buffer, playbackRate: keep.speed });
    const edge = this.context.createGain();
    source.connect(edge).connect(output);
    const begin = Math.max(0, at - fade);
    edge.gain.setValueAtTime(0, begin);
    edge.gain.linearRampToValueAtTime(1, at + fade);
    edge.gain.setValueAtTime(1, at + lengthS - fade);
    edge.gain.linearRampToValueAtTime(0, at + lengthS + fade);
    source.start(begin, Math.max(0, keep.startMs / 1000 + (late - (at - begin)) * keep.speed), (lengthS + at - begin + fade) * keep.speed);
    return { node: edge, source };
  }

  #bleep(from, to) {
    const source = new OscillatorNode(this.context, { frequency: BLEEP_HZ });
    const level = new GainNode(this.context, { gain: 0.1 });
    source.connect(level).connect(this.player.output);
    source.start(from);
    source.stop(to);
    return { node: level, source };
  }

  /** The element shows the picture, or, of a long recording, plays. */
  #show(play) {
    const { element } = this;
    if (!element) return;
    element.muted = Boolean(this.buffer);
    element.currentTime = this.positionMs / 1000;
    if (play) element.play().catch(() => {}); // the sound goes on by itself
  }

  /** Keep the picture where the sound is; stop where the stretch ends. */
  #watch() {
    this.#timer = requestAnimationFrame(() => {
      if (!this.playing) return;
      const nowS = this.newMs / 1000;
      if (nowS >= Math.min(this.#endS, this.#until)) return this.#ended(nowS);
      const keep = this.#keeps.findLast((one) => one.newStartMs / 1000 <= nowS);
      const { element } = this;
      if (element && keep) {
        if (this.buffer && Math.abs(element.currentTime - this.positionMs / 1000) > LATE_S) element.currentTime = this.positionMs / 1000;
        element.playbackRate = Math.min(16, keep.speed);
        if (!this.buffer) this.#skip();
      }
      return this.#watch();
    });
  }

  /** Of a long recording: over what was cut, by seeking. */
  #skip() {
    const ms = this.element.currentTime * 1000;
    const next = this.#keeps.find((one) => one.endMs > ms);
    if (next && ms < next.startMs) this.element.currentTime = next.startMs / 1000;
    else if (!next) this.#ended(this.#endS);
  }

  #stop() {
    this.playing = false;
    this.#until = Infinity;
    cancelAnimationFrame(this.#timer);
    for (const { node, source } of this.#sources) {
      source?.stop();
      node.disconnect();
    }
    this.#sources = [];
    if (!this.element) return;
    this.element.pause();
    this.element.muted = false;
    this.element.playbackRate = 1;
  }

  #ended(atS) {
    const whole = this.#until === Infinity;
    this.#stop();
    this.#offset = whole ? 0 : atS;
    this.onEnded();
  }
}

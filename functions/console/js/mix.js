// Stems on one clock: every source starts at the same moment of the same AudioContext, so they stay
// together to the sample; solo and mute only turn gains.

const START_IN_S = 0.05;
const RAMP_S = 0.012; // a gain that jumps clicks

/** A fader's gain; at the bottom it is closed. */
export const gainOf = (db) => (db <= -60 ? 0 : 10 ** (db / 20));

/** What is heard: soloed tracks alone where there are any; mute goes before solo. */
export function audible(tracks) {
  const soloed = tracks.some((track) => track.solo);
  return tracks.map((track) => !track.mute && (!soloed || track.solo));
}

export class Mix {
  onEnded = () => {};
  playing = false;
  title = "Stems & mix";

  #nodes = [];
  #began = 0;
  #offset = 0;

  /** `buffers`: one AudioBuffer a track, in the tracks' order. */
  constructor(player, buffers) {
    this.context = player.context;
    this.buffers = buffers;
    this.durationMs = Math.max(...buffers.map((buffer) => buffer.duration)) * 1000;
    this.gains = buffers.map(() => this.context.createGain());
    this.meters = buffers.map(() => new AnalyserNode(this.context, { fftSize: 1024 }));
    this.gains.forEach((gain, at) => gain.connect(this.meters[at]).connect(player.output));
  }

  get positionMs() {
    if (!this.playing) return this.#offset * 1000;
    const at = this.#offset + Math.max(0, this.context.currentTime - this.#began);
    return Math.min(at * 1000, this.durationMs);
  }

  /** Apply mutes, solos and faders: `[{mute, solo, gainDb}]`. */
  set(tracks) {
    audible(tracks).forEach((heard, at) => {
      const value = heard ? gainOf(tracks[at].gainDb) : 0;
      this.gains[at].gain.setTargetAtTime(value, this.context.currentTime, RAMP_S);
    });
  }

  play() {
    if (this.playing) return;
    if (this.#offset * 1000 >= this.durationMs - 10) this.#offset = 0;
    this.#began = this.context.currentTime + START_IN_S;
    this.#nodes = this.buffers.map((buffer, at) => {
      const node = new AudioBufferSourceNode(this.context, { buffer });
      node.connect(this.gains[at]);
      if (this.#offset < buffer.duration) node.start(this.#began, this.#offset);
      return node;
    });
    const longest = this.buffers.findIndex((buffer) => buffer.duration * 1000 === this.durationMs);
    this.#nodes[longest].onended = () => this.#ended();
    this.playing = true;
  }

  pause() {
    if (!this.playing) return;
    this.#offset = this.positionMs / 1000;
    this.#stop();
  }

  seek(ms) {
    const playing = this.playing;
    this.#stop();
    this.#offset = Math.min(ms, this.durationMs) / 1000;
    if (playing) this.play();
  }

  /** A track's level at this moment, in dBFS (peak of the last 1,024 samples). */
  levelDbfs(at, scratch) {
    this.meters[at].getFloatTimeDomainData(scratch);
    let peak = 0;
    for (const sample of scratch) peak = Math.max(peak, Math.abs(sample));
    return peak > 0 ? 20 * Math.log10(peak) : -Infinity;
  }

  #stop() {
    this.playing = false;
    for (const node of this.#nodes) {
      node.onended = null;
      node.disconnect();
    }
    this.#nodes = [];
  }

  #ended() {
    this.#stop();
    this.#offset = 0;
    this.onEnded();
  }
}

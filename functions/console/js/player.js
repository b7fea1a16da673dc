// What sounds, and where the playhead is. Three decks, of which one plays at a time:
//   media  the recording (or another version of it) in an <audio> or <video> element
//   clip   one hit, loop or phrase, by Web Audio: ends and repeats to the sample
//   mix    stems side by side on one clock, see mix.js

import { store } from "./store.js";

const KEPT_BUFFERS = 24;

export class Player {
  /** `{playing, deck, looping, clip, failed}`; `clip`: the item that plays, or null. */
  state = store({ playing: false, deck: "media", looping: false, clip: null, failed: null });
  volume = 1;

  #element = null;
  #context = null;
  #output = null;
  #range = null;
  #clip = null;
  #mix = null;
  #buffers = new Map();
  #ticks = new Set();
  #frame = 0;

  /** The one audio context, made when it is first needed: browsers want a gesture before. */
  get context() {
    if (!this.#context) {
      this.#context = new AudioContext({ latencyHint: "interactive" });
      this.#output = this.#context.createGain();
      this.#output.gain.value = this.volume;
      this.#output.connect(this.#context.destination);
    }
    if (this.#context.state === "suspended") this.#context.resume();
    return this.#context;
  }

  /** Where decks are connected to. */
  get output() {
    return this.context && this.#output;
  }

  get element() {
    return this.#element;
  }

  get mix() {
    return this.#mix;
  }

  /** Take an <audio> or <video> element as the media deck; returns how to let go of it. */
  attach(element) {
    this.#element = element;
    element.volume = this.volume;
    const sync = () => {
      if (this.state.get().deck === "media" && !this.#clip) this.#change({ playing: !element.paused });
      this.#tick();
    };
    const names = ["play", "pause", "ended", "seeked", "loadedmetadata"];
    for (const name of names) element.addEventListener(name, sync);
    const failed = () => this.#change({ failed: element.error?.message || "it cannot be played here", playing: false });
    const loaded = () => this.#change({ failed: null });
    element.addEventListener("error", failed);
    element.addEventListener("loadedmetadata", loaded);
    return () => {
      for (const name of names) element.removeEventListener(name, sync);
      element.removeEventListener("error", failed);
      element.removeEventListener("loadedmetadata", loaded);
      element.pause();
      if (this.#element === element) this.#element = null;
    };
  }

  /** Where the playhead is, in ms of the recording (of the mix, where a mix has its own time). */
  get positionMs() {
    if (this.#clip) return this.#clip.position();
    if (this.#mix) return this.#mix.positionMs;
    return (this.#element?.currentTime ?? 0) * 1000;
  }

  /** Where in the recording; a mix with a time axis of its own leaves the recording where it is. */
  get recordingMs() {
    return this.#mix?.apart ? (this.#element?.currentTime ?? 0) * 1000 : this.positionMs;
  }

  /** Call back with the position on each picture while it moves; returns how to stop that. */
  onTick(listener) {
    this.#ticks.add(listener);
    listener(this.positionMs);
    return () => this.#ticks.delete(listener);
  }

  toggle() {
    if (this.#clip) return this.stopClip();
    if (this.#mix) return this.state.get().playing ? this.pause() : this.play();
    if (!this.#element) return undefined;
    return this.#element.paused ? this.play() : this.pause();
  }

  play() {
    if (this.#mix) {
      this.#mix.play();
      return this.#change({ playing: true });
    }
    this.stopClip();
    return this.#start();
  }

  pause() {
    this.stopClip();
    this.#mix?.pause();
    this.#element?.pause();
    this.#change({ playing: false });
  }

  seek(ms) {
    this.stopClip();
    this.#range = null;
    const to = Math.max(0, ms);
    if (this.#mix) this.#mix.seek(to);
    else if (this.#element) this.#element.currentTime = to / 1000;
    this.#tick();
  }

  /** Play the recording from start to end, once, or over and over while looping. */
  playRange(item) {
    this.useMix(null);
    this.stopClip();
    if (!this.#element) return;
    this.#element.currentTime = item.startMs / 1000;
    this.#range = { startMs: item.startMs, endMs: item.endMs };
    this.#change({ clip: item });
    this.#start();
  }

  /** Play an item's own file by Web Audio; the playhead shows where in the recording it comes from. */
  async playClip(item, url) {
    this.useMix(null);
    this.pause();
    const context = this.context;
    const token = (this.#clip = { position: () => item.startMs, stop() {} });
    this.#change({ clip: item, deck: "clip", playing: true });
    // The picture shows where it is from, and the playhead stays there afterwards.
    if (this.#element?.readyState) this.#element.currentTime = item.startMs / 1000;
    let buffer;
    try {
      buffer = await this.buffer(url);
    } catch {
      if (this.#clip === token) this.stopClip();
      return this.playRange(item); // its file is gone: the recording has the same sound
    }
    if (this.#clip !== token) return undefined; // another was asked for meanwhile
    const node = new AudioBufferSourceNode(context, { buffer, loop: this.state.get().looping });
    node.connect(this.output);
    const began = context.currentTime + 0.01;
    node.start(began);
    const lengthMs = buffer.duration * 1000;
    this.#clip = {
      node,
      position: () => item.startMs + (Math.max(0, (context.currentTime - began) * 1000) % lengthMs),
      stop: () => node.stop(),
    };
    const mine = this.#clip;
    node.onended = () => this.#clip === mine && this.stopClip();
    this.#run();
    return undefined;
  }

  stopClip() {
    const clip = this.#clip;
    this.#clip = null;
    this.#range = null;
    clip?.stop();
    if (this.state.get().clip || this.state.get().deck === "clip") {
      this.#change({ clip: null, deck: this.#mix ? "mix" : "media", playing: Boolean(this.#element && !this.#element.paused) });
    }
    this.#tick();
  }

  setLooping(looping) {
    if (this.#clip?.node) this.#clip.node.loop = looping;
    this.#change({ looping });
  }

  setVolume(volume) {
    this.volume = volume;
    if (this.#output) this.#output.gain.value = volume;
    if (this.#element) this.#element.volume = volume;
  }

  /** Put a mix on, or with `null` take it off again. */
  useMix(mix) {
    if (this.#mix === mix) return;
    this.pause();
    this.#mix = mix;
    if (mix) mix.onEnded = () => this.#change({ playing: false });
    this.#change({ deck: mix ? "mix" : "media" });
    this.#tick();
  }

  /** A decoded file; the last ones are kept. */
  async buffer(url) {
    if (!this.#buffers.has(url)) {
      const read = fetch(url).then((answer) => {
        if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
        return answer.arrayBuffer();
      });
      this.#buffers.set(url, read.then((data) => this.context.decodeAudioData(data)));
      if (this.#buffers.size > KEPT_BUFFERS) this.#buffers.delete(this.#buffers.keys().next().value);
    }
    try {
      return await this.#buffers.get(url);
    } catch (failure) {
      this.#buffers.delete(url);
      throw failure;
    }
  }

  #start() {
    return this.#element?.play().catch((failure) => {
      if (failure.name !== "AbortError") this.#change({ failed: failure.message, playing: false });
    });
  }

  #change(changes) {
    this.state.set((state) => ({ ...state, ...changes }));
    this.#run();
  }

  #run() {
    if (!this.#frame && this.state.get().playing) this.#frame = requestAnimationFrame(() => this.#step());
  }

  #step() {
    this.#frame = 0;
    this.#keepInRange();
    this.#tick();
    this.#run();
  }

  #keepInRange() {
    const element = this.#element;
    if (!this.#range || !element || element.currentTime * 1000 < this.#range.endMs) return;
    if (this.state.get().looping) element.currentTime = this.#range.startMs / 1000;
    else this.pause();
  }

  #tick() {
    const position = this.positionMs;
    for (const listener of [...this.#ticks]) listener(position);
  }
}

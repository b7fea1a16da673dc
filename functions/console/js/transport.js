// Play, pause, where we are, what we listen to: always at hand at the foot of the page.

import { time } from "./format.js";
import { Icon } from "./icons.js";
import { html, useEffect, useRef, useState } from "./lib.js";
import { useStore } from "./store.js";

/** `verb`: what one does with a version: listens to it, or watches it; `still`: there is nothing to play. */
export function Transport({ player, durationMs, versions, version, verb, still, onVersion }) {
  const { playing, looping, clip, deck } = useStore(player.state);
  const [volume, setVolume] = useState(player.volume);
  const code = useRef();
  useEffect(
    () =>
      player.onTick((ms) => {
        if (!code.current) return;
        const text = time(ms, 2);
        if (code.current.textContent !== text) code.current.textContent = text;
      }),
    [player],
  );
  const heard = clip?.title ?? (deck === "mix" ? player.mix.title : "");
  return html`<section class="transport" aria-label="Transport">
    ${!still && html`<button type="button" class="plain" aria-label="To the start" title="To the start (Home)" onClick=${() => player.seek(0)}><${Icon} name="start" /></button>
    <button type="button" class="play" aria-label=${playing ? "Pause" : "Play"} title="Space" onClick=${() => player.toggle()}><${Icon} name=${playing ? "pause" : "play"} size=${18} /></button>
    <button type="button" class="plain toggle" aria-label="Repeat" title="Repeat what plays (L)" aria-pressed=${looping ? "true" : "false"} onClick=${() => player.setLooping(!looping)}><${Icon} name="loop" /></button>
    <output class="timecode" aria-label="Position"><span ref=${code} data-test="position">0:00.00</span><small> / ${time(deck === "mix" ? player.mix.durationMs : durationMs, 2)}</small></output>`}
    <span class="heard">${heard}</span>
    <span class="grow"></span>
    ${versions.length > 1 && html`<label class="version"><span>${verb}</span>
      <select aria-label=${verb} value=${version.id} onChange=${(event) => (player.useMix(null), onVersion(event.target.value))}>
        ${versions.map((one) => html`<option key=${one.id} value=${one.id}>${one.title}</option>`)}</select></label>`}
    ${!still && html`<label class="volume"><span class="visually-hidden">Volume</span><${Icon} name="volume" />
      <input type="range" min="0" max="1" step="0.01" value=${volume} onInput=${(event) => {
        setVolume(Number(event.target.value));
        player.setVolume(Number(event.target.value));
      }} /></label>`}
  </section>`;
}

// The keys of a recording's page.

import { useEffect } from "./lib.js";

const STEP_MS = 1000;

/** `onLayer(at)`: switch the layer of that place, from 0. */
export function useKeys(player, durationMs, onLayer) {
  useEffect(() => {
    const move = (event) => {
      const by = event.altKey ? 10 : event.shiftKey ? 5 * STEP_MS : STEP_MS;
      player.seek(Math.min(durationMs, player.positionMs + (event.key === "ArrowLeft" ? -by : by)));
    };
    const keys = {
      " ": () => player.toggle(),
      ArrowLeft: move,
      ArrowRight: move,
      Home: () => player.seek(0),
      End: () => player.seek(durationMs),
      l: () => player.setLooping(!player.state.get().looping),
    };
    const listen = (event) => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey) return;
      // Fields and buttons keep their own keys: the space bar presses the button that has the focus.
      if (event.target.closest?.("input, textarea, select, dialog, [role=tablist], [role=radiogroup], summary")) return;
      if (event.key === " " && event.target.closest?.("button, a")) return;
      const act = keys[event.key] ?? (/^[1-9]$/.test(event.key) && !event.altKey ? () => onLayer(Number(event.key) - 1) : null);
      if (!act) return;
      event.preventDefault();
      act(event);
    };
    addEventListener("keydown", listen);
    return () => removeEventListener("keydown", listen);
  });
}

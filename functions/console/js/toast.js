// Short notices, also read out.

import { Icon } from "./icons.js";
import { cx, html } from "./lib.js";
import { store, useStore } from "./store.js";
import { oneLine } from "./errors.js";

const STAYS_MS = 6000;
const toasts = store([]);
let counted = 0;

/** Say something for a few seconds; errors stay until they are closed. */
export function toast(text, { bad = false } = {}) {
  const key = (counted += 1);
  toasts.set((list) => [...list.slice(-3), { key, text, bad }]);
  if (!bad) setTimeout(() => close(key), STAYS_MS);
}

export const toastError = (failure) => toast(oneLine(failure.error ?? { message: String(failure.message ?? failure) }), { bad: true });

const close = (key) => toasts.set((list) => list.filter((one) => one.key !== key));

export function Toasts() {
  const list = useStore(toasts);
  return html`<div class="toasts" role="status" aria-live="polite">
    ${list.map((one) => html`<div key=${one.key} class=${cx("toast", one.bad && "bad")}>
      <span>${one.text}</span>
      <button type="button" class="plain" aria-label="Close" onClick=${() => close(one.key)}><${Icon} name="close" size=${12} /></button>
    </div>`)}
  </div>`;
}

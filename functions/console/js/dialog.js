// A window over the page: the browser's own dialog keeps the focus inside and closes on Escape.

import { Icon } from "./icons.js";
import { html, useEffect, useId, useRef } from "./lib.js";

export function Dialog({ title, onClose, children }) {
  const dialog = useRef();
  const id = useId();
  useEffect(() => dialog.current.showModal(), []);
  const onClick = (event) => event.target === dialog.current && onClose();
  return html`<dialog ref=${dialog} aria-labelledby=${id} onClose=${onClose} onClick=${onClick}>
    <header><h2 id=${id}>${title}</h2>
      <button type="button" class="plain" aria-label="Close" onClick=${onClose}><${Icon} name="close" /></button></header>
    <div class="dialog-body">${children}</div>
  </dialog>`;
}

// Tabs, with the arrows as the pattern demands; the last choice is kept for the session.

import { html, useState } from "./lib.js";

const chosen = new Map();

/** `tabs`: `[[id, title, content, count?]]`. */
export function Tabs({ label, name, tabs }) {
  const [id, setId] = useState(chosen.get(name) ?? tabs[0][0]);
  const current = tabs.find(([one]) => one === id) ?? tabs[0];
  const choose = (next) => {
    chosen.set(name, next);
    setId(next);
  };
  const onKeyDown = (event) => {
    const at = tabs.indexOf(current);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const next = tabs.at(to % tabs.length)[0];
    choose(next);
    document.getElementById(`${name}-tab-${next}`).focus();
  };
  return html`<section class="tabs" aria-label=${label}>
    <div role="tablist" aria-label=${label} onKeyDown=${onKeyDown}>${tabs.map(([one, title, , number]) => html`<button type="button" role="tab" key=${one}
      id=${`${name}-tab-${one}`} aria-selected=${one === current[0] ? "true" : "false"} aria-controls=${`${name}-${one}`} tabIndex=${one === current[0] ? 0 : -1}
      onClick=${() => choose(one)}>${title}${number ? html` <span class="dim">${number}</span>` : null}</button>`)}</div>
    <div role="tabpanel" id=${`${name}-${current[0]}`} aria-labelledby=${`${name}-tab-${current[0]}`} key=${current[0]}>${current[2]}</div>
  </section>`;
}

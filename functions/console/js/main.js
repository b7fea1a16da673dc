// The page: what is at the top of it, and which of its two views the address names.

import { AssetPage } from "./asset.js";
import { Help } from "./help.js";
import { Icon } from "./icons.js";
import { cx, html, render, useEffect, useState } from "./lib.js";
import { Library } from "./library.js";
import { begin, online, runs, settled } from "./live.js";
import { get } from "./api.js";
import { pipeline, readPipeline } from "./pipeline.js";
import { SettingsPage } from "./settings.js";
import { store, useStore } from "./store.js";
import { DropTarget } from "./dropzone.js";
import { Toasts } from "./toast.js";
import { findCutOff } from "./uploads.js";

const identity = store(null);

function App() {
  useStore(pipeline); // titles are read when the page stands already
  const route = useRoute();
  const [helping, setHelping] = useState(false);
  useEffect(() => {
    const listen = (event) => {
      if (event.key !== "?" || event.target.closest?.("input, textarea, select")) return;
      setHelping(true);
    };
    addEventListener("keydown", listen);
    return () => removeEventListener("keydown", listen);
  }, []);
  const assetId = /^#\/assets\/([\w-]+)/.exec(route)?.[1];
  return html`
    <a class="skip" href="#main" onClick=${skip}>Skip to the content</a>
    <${TopBar} onHelp=${() => setHelping(true)} />
    <main id="main" tabindex="-1">
      ${assetId ? html`<${AssetPage} key=${assetId} assetId=${assetId} />` : route === "#/settings" ? html`<${SettingsPage} />` : html`<${Library} />`}
    </main>
    <${DropTarget} />
    <${Toasts} />
    ${helping && html`<${Help} onClose=${() => setHelping(false)} />`}
  `;
}

function skip(event) {
  event.preventDefault(); // the fragment is the route
  document.getElementById("main").focus();
}

function useRoute() {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const listen = () => {
      setHash(location.hash);
      scrollTo(0, 0);
      document.getElementById("main")?.focus({ preventScroll: true });
    };
    addEventListener("hashchange", listen);
    return () => removeEventListener("hashchange", listen);
  }, []);
  return hash;
}

function TopBar({ onHelp }) {
  const who = useStore(identity);
  const up = useStore(online);
  const busy = useStore(runs, (list) => (list ?? []).filter((run) => !settled(run)).length);
  return html`<header class="top">
    <a class="brand" href="#/" aria-label="Rushes, all recordings">
      <svg width="22" height="22" viewBox="0 0 32 32" aria-hidden="true"><g class="brand-wave"><path d="M5 14v4M10.5 9v14M21.5 11v10M27 14v4" /><path class="brand-head" d="M16 4v24" /></g></svg>
      <span>Rushes</span>
    </a>
    <span class=${cx("status", !up && "bad", busy > 0 && up && "busy")} role="status">
      ${!up ? "no connection" : busy ? `${busy} ${busy === 1 ? "run" : "runs"} under way` : ""}
    </span>
    <span class="grow"></span>
    ${who && html`<span class="who" title="Tenant and environment">${who.tenant_id}<i>/</i>${who.env}</span>`}
    <a class="plain" href="#/settings" aria-label="Settings" title="Settings"><${Icon} name="gear" /></a>
    <${ThemeSwitch} />
    <button type="button" class="plain" aria-label="Keyboard" title="Keyboard (?)" onClick=${onHelp}><${Icon} name="help" /></button>
  </header>`;
}

const THEMES = { auto: ["auto", "As the system"], dark: ["moon", "Dark"], light: ["sun", "Light"] };

function ThemeSwitch() {
  const root = document.documentElement;
  const [theme, setTheme] = useState(root.dataset.theme);
  const choose = () => {
    const names = Object.keys(THEMES);
    const next = names[(names.indexOf(theme) + 1) % names.length];
    root.dataset.theme = next;
    localStorage.setItem("rushes.theme", next);
    setTheme(next);
    dispatchEvent(new Event("rushes:theme"));
  };
  const [icon, words] = THEMES[theme] ?? THEMES.auto;
  return html`<button type="button" class="plain" onClick=${choose} aria-label=${`Theme: ${words}`} title=${`Theme: ${words}`}>
    <${Icon} name=${icon} />
  </button>`;
}

get("/me").then((me) => identity.set(me), () => {});
readPipeline();
begin();
findCutOff();
render(html`<${App} />`, document.getElementById("app"));

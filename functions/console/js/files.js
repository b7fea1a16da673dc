// Every file that was made, by the step that made it, with what it was made by.

import { contentOf, downloadOf } from "./api.js";
import { bytes, count } from "./format.js";
import { Icon } from "./icons.js";
import { html } from "./lib.js";
import { kindTitle, stepTitle } from "./pipeline.js";

const FOLDED = 4;

export function FilesPanel({ data }) {
  const groups = [...data.steps].filter(([, { artifacts }]) => artifacts.length);
  if (!groups.length) return html`<div class="empty"><p><strong>No files yet</strong></p><p class="dim">They appear here as steps finish.</p></div>`;
  return html`<div class="files">${groups.map(([step, { artifacts }]) => html`<section key=${step} aria-label=${stepTitle(step)}>
    <h2>${stepTitle(step)} <span class="dim">${artifacts[0].meta.backend_type === "stub" ? "a stand-in" : artifacts[0].meta.backend_version}</span></h2>
    ${[...byKind(artifacts)].sort(picturesFirst).map(([kind, list]) => html`<${Kind} key=${kind} kind=${kind} list=${list} />`)}
  </section>`)}</div>`;
}

const picturesFirst = ([a], [b]) => (b === "preview") - (a === "preview");

function byKind(artifacts) {
  const kinds = new Map();
  for (const one of artifacts) kinds.set(one.kind, [...(kinds.get(one.kind) ?? []), one]);
  return kinds;
}

function Kind({ kind, list }) {
  if (kind === "preview") return list.map((one) => html`<figure class="preview" key=${one.artifact_id}><a href=${contentOf(one)} target="_blank"><img src=${contentOf(one)} alt=${one.meta.shows} loading="lazy" /></a><figcaption class="dim">${one.meta.shows}</figcaption></figure>`);
  const nameOf = (one) => (list.length > 1 ? one.meta.name : null) ?? kindTitle(kind);
  const rows = html`<ul class="rows">${list.map((one) => html`<li key=${one.artifact_id} class="row file">
    <span class="row-name">${nameOf(one)}</span>
    <span class="row-about dim">${about(one)}</span><span class="row-size dim">${bytes(one.bytes)}</span>
    <a class="plain" aria-label=${`Download ${nameOf(one)}`} title="Download" href=${downloadOf(contentOf(one))} download><${Icon} name="download" size=${14} /></a></li>`)}</ul>`;
  if (list.length <= FOLDED) return rows;
  return html`<details><summary>${count(list.length, kindTitle(kind).toLowerCase())} <span class="dim">${bytes(list.reduce((sum, one) => sum + one.bytes, 0))}</span></summary>${rows}</details>`;
}

const about = ({ meta, content_type: type }) => [meta.preset_id, meta.stem, meta.bus_id, type.replace(/^application\//, "")].filter(Boolean).join(" · ");

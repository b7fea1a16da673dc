// The server's table: its steps, where each is asked for, and what people call them and what they make.

import { get } from "./api.js";
import { online } from "./live.js";
import { store } from "./store.js";

const titles = { steps: new Map(), kinds: new Map() };

/** The steps; empty until they are read. */
export const pipeline = store([]);

/** A step by the name of what it gives; one that the server doesn't know (any more) by its own. */
export const stepTitle = (step) => titles.steps.get(step) ?? step;

/** A kind of artifact in words. */
export const kindTitle = (kind) => titles.kinds.get(kind) ?? kind.replaceAll("_", " ");

let reading = false;

/** Read the table, if it is not read yet. Whoever shows a title renders again with `pipeline`. */
export async function readPipeline() {
  if (reading || pipeline.get().length > 0) return;
  reading = true;
  const table = await get("/pipeline").catch(() => null);
  reading = false;
  if (table === null) return; // tried again with the next answer of the server
  for (const { step, title } of [table.first, ...table.steps]) titles.steps.set(step, title);
  for (const { name, title } of table.kinds) titles.kinds.set(name, title);
  pipeline.set(table.steps);
}

online.subscribe((up) => up && readPipeline());

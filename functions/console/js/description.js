// The API's own description: which params a step has, and which formats captions are written in.

import { get } from "./api.js";

let reading = null;

const description = () => (reading ??= get("/openapi.json").catch((failure) => ((reading = null), Promise.reject(failure))));

/** `[{name, type, default, enum, ...}]` of the step that `path` begins. */
export async function paramsOf(path) {
  const all = await description();
  const schema = all.paths[path]?.post?.requestBody?.content?.["application/json"]?.schema ?? {};
  const { properties = {} } = resolve(schema, all);
  return Object.entries(properties).map(([name, field]) => ({ name, ...flat(resolve(field, all), all) }));
}

/** `srt`, `vtt`, and whatever else. */
export async function captionFormats() {
  const found = Object.keys((await description()).paths).map((path) => /^\/video\/captions\/\{artifact_id\}\/(\w+)$/.exec(path)?.[1]);
  return found.filter(Boolean);
}

function resolve(schema, all) {
  const name = schema.$ref?.split("/").at(-1);
  const found = name ? all.components.schemas[name] : schema;
  if (!found?.allOf) return found ?? {};
  return found.allOf.map((one) => resolve(one, all)).reduce((sum, one) => ({ ...sum, ...one, properties: { ...sum.properties, ...one.properties } }), {});
}

/** `anyOf: [X, null]` is X, and may be left empty. */
function flat(field, all) {
  const real = field.anyOf?.map((one) => resolve(one, all)).filter((one) => one.type !== "null");
  return real?.length === 1 ? { ...field, ...real[0], title: field.title } : field;
}

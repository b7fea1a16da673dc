// The HTTP API, as docs/api.md describes it. Everything goes to the page's own origin.

/** An error object of the API, or of the way to it. */
export class ApiError extends Error {
  constructor(error, status = 0) {
    super(error.message);
    Object.assign(this, { error, status });
  }
}

const OFFLINE = { code: "offline", message: "the server does not answer" };

/** JSON in, JSON out; raises `ApiError`. */
export async function call(path, { method = "GET", body, headers: more, signal } = {}) {
  const headers = { ...more, ...(body === undefined ? {} : { "Content-Type": "application/json" }) };
  const payload = body === undefined ? undefined : JSON.stringify(body);
  let response;
  try {
    response = await fetch(path, { method, headers, body: payload, signal });
  } catch (failure) {
    if (signal?.aborted) throw failure;
    throw new ApiError(OFFLINE);
  }
  if (response.ok) return response.status === 204 ? null : response.json();
  throw await refusal(response);
}

async function refusal(response) {
  const answer = await response.json().catch(() => null);
  const error = answer?.error ?? { code: `http_${response.status}`, message: response.statusText };
  return new ApiError(error, response.status);
}

export const get = (path, signal) => call(path, { signal });
export const post = (path, body) => call(path, { method: "POST", body });

/** All rows of a paged list; `each` hears those that are there after every page. */
export async function all(path, rows, signal, { limit = 500, each } = {}) {
  const found = [];
  let after = null;
  do {
    const url = new URL(path, location.origin);
    url.searchParams.set("limit", String(limit));
    if (after) url.searchParams.set("after", after);
    const page = await get(`${url.pathname}${url.search}`, signal);
    found.push(...page[rows]);
    after = page.next;
    each?.([...found]);
  } while (after);
  return found;
}

export const contentOf = (artifact) => `/artifacts/${artifact.artifact_id}/content`;
export const mediaOf = (assetId) => `/assets/${assetId}/media`;
export const resultsOf = (assetId) => `/assets/${assetId}/results.zip`;
export const downloadOf = (path) => `${path}?download=1`;

/** A JSON artifact's content. */
export const jsonOf = (artifact, signal) => get(contentOf(artifact), signal);

/** Open a run of one step of a recording. */
export const reprocess = (assetId, step, params = {}, more = {}) =>
  post("/reprocess", { asset_id: assetId, step, params, ...more });

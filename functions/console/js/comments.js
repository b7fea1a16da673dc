// What people say of a recording, each at a time in it.

import { call, get, post } from "./api.js";
import { ErrorBox } from "./error-box.js";
import { ago, time } from "./format.js";
import { Icon } from "./icons.js";
import { html, useEffect, useRef, useState } from "./lib.js";

/** `[{comment_id, at_ms, text, user_id, created_at}]`; `null` until they are read. */
export function useComments(assetId) {
  const [list, setList] = useState(null);
  const path = `/assets/${assetId}/comments`;
  const read = () => get(path).then((told) => setList(told.comments), () => setList([]));
  useEffect(() => {
    read();
  }, [assetId]);
  return {
    list,
    add: (at_ms, text) => post(path, { at_ms, text }).then(read),
    remove: (id) => call(`${path}/${id}`, { method: "DELETE" }).then(read),
  };
}

export function CommentsPanel({ comments, player }) {
  const [text, setText] = useState("");
  const [at, setAt] = useState(null); // where the playhead was when one began to write
  const [error, setError] = useState(null);
  const now = useRef();
  useEffect(() => player.onTick(() => now.current && at === null && (now.current.textContent = time(player.recordingMs, 2))), [player, at]);
  const failed = (failure) => setError(failure.error ?? { message: failure.message });
  const write = (event) => {
    setText(event.target.value);
    if (at === null) setAt(Math.round(player.recordingMs));
  };
  const send = (event) => {
    event.preventDefault();
    if (!text.trim()) return;
    comments.add(at ?? Math.round(player.recordingMs), text.trim()).then(() => (setText(""), setAt(null), setError(null)), failed);
  };
  return html`<div class="comments">
    <form class="panel-bar" onSubmit=${send}>
      <output class="timecode-small" ref=${now} aria-label="At">${at === null ? time(player.recordingMs, 2) : time(at, 2)}</output>
      <input type="text" class="comment-text" maxlength="2000" placeholder="Say something at this moment" aria-label="Comment" value=${text} onInput=${write} />
      <button type="submit" class="button primary" disabled=${!text.trim()}>Add</button>
    </form>
    ${error && html`<${ErrorBox} error=${error} onClose=${() => setError(null)} />`}
    <ul class="rows">${(comments.list ?? []).map((one) => html`<li key=${one.comment_id} class="row comment">
      <button type="button" class="cue-time" aria-label=${`Play from ${time(one.at_ms, 1)}`} onClick=${() => (player.seek(one.at_ms), player.play())}>${time(one.at_ms, 1)}</button>
      <p>${one.text}</p>
      <span class="row-when dim">${[one.user_id, ago(one.created_at)].filter(Boolean).join(", ")}</span>
      <button type="button" class="plain" aria-label=${`Delete the comment at ${time(one.at_ms, 1)}`} onClick=${() => comments.remove(one.comment_id).catch(failed)}><${Icon} name="close" size=${14} /></button>
    </li>`)}</ul>
    ${comments.list?.length === 0 && html`<p class="dim">No comments yet. A comment belongs to the moment at which you begin to write it.</p>`}
  </div>`;
}

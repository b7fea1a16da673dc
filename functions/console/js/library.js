// All recordings, what is being uploaded, what runs, and what was given up.

import { all, get, post } from "./api.js";
import { DropZone } from "./dropzone.js";
import { ErrorBox } from "./error-box.js";
import { html, useEffect, useState } from "./lib.js";
import { onFinished, runs } from "./live.js";
import { stepTitle } from "./pipeline.js";
import { RecordingList } from "./recording-list.js";
import { RunCards } from "./run-cards.js";
import { useStore } from "./store.js";
import { toast, toastError } from "./toast.js";
import { UploadRows } from "./upload-rows.js";
import { uploads } from "./uploads.js";

const PAGE_ROWS = 200; // some 40 kB, before compression

const readRows = (each) => all("/recordings", "recordings", undefined, { limit: PAGE_ROWS, each });

export function Library() {
  const [rows, setRows] = useState(null);
  const [failure, setFailure] = useState(null);
  const list = useStore(runs);
  useEffect(() => {
    document.title = "Rushes";
    const read = (each) => readRows(each).then((found) => (setRows(found), setFailure(null)), setFailure);
    read(setRows);
    return onFinished(() => read());
  }, []);
  // A recording can be looked at as soon as probing has made it, long before its run has finished.
  const known = (list ?? []).map((run) => run.asset_id).filter(Boolean).join();
  useEffect(() => {
    if (rows && known.split(",").some((id) => id && !rows.some((one) => one.asset_id === id))) {
      readRows().then(setRows, () => {});
    }
  }, [known]);
  const pending = useStore(uploads);
  const empty = rows && !rows.length && !pending.length && !(list ?? []).length;
  return html`<div class="library">
    <h1 class="visually-hidden">Library</h1>
    <${DropZone} large=${empty} />
    <${UploadRows} list=${pending} runs=${list} />
    <${RunCards} list=${list} rows=${rows} />
    ${failure && html`<${ErrorBox} error=${failure.error ?? { message: failure.message }} />`}
    ${!rows && !failure && html`<div class="rows loading" role="status" aria-label="Reading recordings">${[1, 2, 3].map((at) => html`<div key=${at} class="row ghost"></div>`)}</div>`}
    ${rows?.length > 0 && html`<${RecordingList} rows=${rows} runs=${list ?? []} />`}
    <${DeadLetters} />
  </div>`;
}

function DeadLetters() {
  const [letters, setLetters] = useState([]);
  const read = () => get("/dead-letters").then((page) => setLetters(page.dead_letters), () => {});
  useEffect(() => {
    read();
    return onFinished(read);
  }, []);
  const send = (letter) =>
    post(`/dead-letters/${letter.letter_id}/redrive`).then(() => (toast("Sent again"), read()), toastError);
  if (!letters.length) return null;
  return html`<section aria-labelledby="given-up">
    <h2 id="given-up" class="section">Given up <span class="dim">${letters.length}</span></h2>
    <div class="stack">${letters.map((letter) => html`<${ErrorBox} key=${letter.letter_id} error=${letter.error ?? { code: letter.code, message: letter.code }}
      of=${letter.step ? stepTitle(letter.step) : "A message"} note=${letter.redriven ? `sent again ${letter.redriven} ×` : ""}
      againWords="Send again" onAgain=${letter.topic ? () => send(letter) : null} />`)}</div>
  </section>`;
}

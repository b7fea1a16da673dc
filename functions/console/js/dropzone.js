// Files come in by dropping them anywhere on the page, by choosing them, or by pasting.

import { count } from "./format.js";
import { Icon } from "./icons.js";
import { html, useEffect, useRef, useState } from "./lib.js";
import { toast } from "./toast.js";
import { take } from "./uploads.js";

function accept(files) {
  const list = [...files];
  if (!list.length) return;
  take(list);
  toast(`Uploading ${count(list.length, "file")}`);
  if (location.hash.startsWith("#/assets/")) location.hash = "#/";
}

/** Shown over everything while files are dragged over the page. */
export function DropTarget() {
  const [over, setOver] = useState(false);
  useEffect(() => {
    let depth = 0;
    const files = (event) => event.dataTransfer?.types.includes("Files");
    const on = {
      dragenter(event) {
        if (!files(event)) return;
        depth += 1;
        setOver(true);
      },
      dragleave(event) {
        if (files(event) && (depth -= 1) <= 0) setOver(false);
      },
      dragover(event) {
        if (files(event)) event.preventDefault();
      },
      drop(event) {
        if (!files(event)) return;
        event.preventDefault();
        depth = 0;
        setOver(false);
        accept(event.dataTransfer.files);
      },
      paste(event) {
        if (event.clipboardData?.files.length) accept(event.clipboardData.files);
      },
    };
    for (const [name, listener] of Object.entries(on)) addEventListener(name, listener);
    return () => {
      for (const [name, listener] of Object.entries(on)) removeEventListener(name, listener);
    };
  }, []);
  return over && html`<div class="drop-over" aria-hidden="true"><div><${Icon} name="upload" size=${34} /><p>Drop to upload</p></div></div>`;
}

/** The place on the page that says so: large while there is nothing yet. */
export function DropZone({ large }) {
  const input = useRef();
  return html`<div class=${large ? "drop-zone large" : "drop-zone"}>
    <${Icon} name="upload" size=${large ? 30 : 18} />
    <div>
      <p class="drop-words">${large ? "Drop recordings here" : "Drop recordings anywhere"}</p>
      <p class="dim">${large ? "Sound, video, MIDI, or a tracker pattern. Hits, loops, speech, faces and shots are found by themselves." : "sound, video, MIDI, tracker patterns"}</p>
    </div>
    <button type="button" class="button primary" onClick=${() => input.current.click()}>Choose files</button>
    <input ref=${input} type="file" multiple hidden data-test="file" onChange=${(event) => {
      accept(event.target.files);
      event.target.value = "";
    }} />
  </div>`;
}

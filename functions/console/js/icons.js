// Icons, drawn on a 16 px grid with the text's colour. They say nothing to readers: buttons have labels.

import { html } from "./lib.js";

const PATHS = {
  play: "M4.5 2.8v10.4L13 8z",
  pause: "M4 3h3v10H4zM9 3h3v10H9z",
  stop: "M3.5 3.5h9v9h-9z",
};

const LINES = {
  start: "M3.5 3v10M12.5 3.5 6.5 8l6 4.5z",
  loop: "M3 7V6a2.5 2.5 0 0 1 2.5-2.5H12M10 1.5l2 2-2 2M13 9v1a2.5 2.5 0 0 1-2.5 2.5H4M6 14.5l-2-2 2-2",
  upload: "M8 11V3M4.5 6.5 8 3l3.5 3.5M2.5 12.5h11",
  download: "M8 3v8M4.5 7.5 8 11l3.5-3.5M2.5 13.5h11",
  back: "M10 3 5 8l5 5",
  close: "M4 4l8 8M12 4l-8 8",
  again: "M13 8a5 5 0 1 1-1.6-3.7M13 2v3h-3",
  edit: "M3 13h2.5l7-7L10 3.5l-7 7zM8.5 5 11 7.5",
  check: "M3.5 8.5 6.5 11.5 12.5 4.5",
  plus: "M8 3v10M3 8h10",
  minus: "M3 8h10",
  fit: "M2.5 5V2.5H5M11 2.5h2.5V5M13.5 11v2.5H11M5 13.5H2.5V11",
  sun: "M8 5.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6M8 1.5v1.3M8 13.2v1.3M1.5 8h1.3M13.2 8h1.3M3.4 3.4l.9.9M11.7 11.7l.9.9M12.6 3.4l-.9.9M4.3 11.7l-.9.9",
  moon: "M13 9.6A5.3 5.3 0 0 1 6.4 3 5.3 5.3 0 1 0 13 9.6",
  auto: "M8 2.2a5.8 5.8 0 1 0 0 11.6zM8 2.2a5.8 5.8 0 0 1 0 11.6",
  volume: "M2.5 6v4H5l3.5 3V3L5 6zM11 5.5a3.5 3.5 0 0 1 0 5M12.8 3.5a6.3 6.3 0 0 1 0 9",
  film: "M2.5 3.5h11v9h-11zM5.2 3.5v9M10.8 3.5v9M2.5 6.5h2.7M2.5 9.5h2.7M10.8 6.5h2.7M10.8 9.5h2.7",
  wave: "M2 7v2M4.4 5v6M6.8 2.5v11M9.2 5.5v5M11.6 4v8M14 7v2",
  pattern: "M2.5 2.5h4v4h-4zM9.5 2.5h4v4h-4zM2.5 9.5h4v4h-4zM9.5 9.5h4v4h-4z",
  package: "M2.5 5 8 2.2 13.5 5v6L8 13.8 2.5 11zM2.5 5 8 7.8 13.5 5M8 7.8v6",
  warn: "M8 2.2 14.2 13.3H1.8zM8 6.5v3.2M8 11.4v.2",
  help: "M8 1.8a6.2 6.2 0 1 0 0 12.4A6.2 6.2 0 0 0 8 1.8M6.2 6.3C6.2 5 7 4.4 8 4.4s1.9.7 1.9 1.8C9.9 7.6 8 7.6 8 9.2M8 11.3v.2",
  trash: "M3 4.5h10M6.5 4.5v-2h3v2M4.5 4.5l.6 9h5.8l.6-9",
  share: "M8 9.5V2M5 4.8 8 2l3 2.8M5.5 7h-2v6.5h9V7h-2",
  gear: "M8 5.8a2.2 2.2 0 1 0 0 4.4 2.2 2.2 0 0 0 0-4.4M8 1.8v1.6M8 12.6v1.6M1.8 8h1.6M12.6 8h1.6M3.6 3.6l1.1 1.1M11.3 11.3l1.1 1.1M12.4 3.6l-1.1 1.1M4.7 11.3l-1.1 1.1M8 3.4a4.6 4.6 0 1 0 0 9.2 4.6 4.6 0 0 0 0-9.2",
  zip: "M3.5 2.5h6l3 3v8h-9zM9.5 2.5v3h3M6 4v1.2M6 6.6v1.2M6 9.2v2.3h1.6",
  more: "M3.2 8h.1M8 8h.1M12.8 8h.1",
};

/** One icon by name. */
export function Icon({ name, size = 16 }) {
  const filled = PATHS[name];
  return html`<svg class="icon" width=${size} height=${size} viewBox="0 0 16 16" aria-hidden="true">
    <path d=${filled ?? LINES[name]} class=${filled ? "filled" : "drawn"} />
  </svg>`;
}

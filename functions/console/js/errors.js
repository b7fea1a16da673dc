// Errors in plain words: what happened, and what one can do about it. The codes are docs/errors.md's.

const STEP = /^[a-z]+\.[a-z_]+$/; // its result is what is missing, and nothing can be installed

const WORDS = {
  validation_error: (e) => [
    "A setting does not fit",
    e.details?.field ? `“${e.details.field}” ${e.details.reason ?? "is not accepted"}.` : sentence(e.message),
    "Change it and run the step again.",
  ],
  missing_dependency: (e) => STEP.test(e.dependency) ? [
    "A result that it needs is not there",
    sentence(e.message),
    "Run that step first, or choose without it.",
  ] : [
    "Something is not installed",
    sentence(e.message),
    "Install it on the machine that runs the steps, then run this one again.",
  ],
  input_too_large: (e) => [
    "The file is too large",
    e.max_bytes || e.details?.max_bytes
      ? `At most ${mb(e.max_bytes ?? e.details.max_bytes)} are accepted; this one has ${mb(e.received_bytes ?? e.details?.received_bytes)}.`
      : sentence(e.message),
    "Cut it, or ask your operator for a higher limit.",
  ],
  unsupported_media: (e) => [
    "This is not a recording that can be read",
    sentence(e.message),
    "Export it again from where it came from, as WAV, FLAC, MP3, MP4 or MOV.",
  ],
  timeout: (e) => ["It took too long", sentence(e.message), "Try again, or try a shorter recording."],
  backend_failed: (e) => [
    "A tool failed on this recording",
    sentence(e.message),
    "Running it again may help. If not, the details below are what to report.",
  ],
  not_found: (e) => ["It is not there", sentence(e.message), "It may have been erased."],
  cross_tenant: () => ["That belongs to somebody else", "The request named another tenant.", ""],
  conflict: (e) => ["Somebody else changed it first", sentence(e.message), "Load the page again, then try once more."],
  attempts_exhausted: (e) => [
    "It was given up",
    e.last_error?.message ? `After several attempts: ${sentence(e.last_error.message)}` : sentence(e.message),
    "Run it again once the cause is gone.",
  ],
  unavailable: (e) => ["A service is not available just now", sentence(e.message), "Try again in a moment."],
  transient_download: (e) => ["The recording could not be fetched", sentence(e.message), "Try again in a moment."],
  unauthenticated: () => ["You are not signed in", "The server does not know who you are.", "Sign in and load the page again."],
  offline: () => ["No connection", "The server does not answer.", "The page goes on by itself once it does."],
};

/** `{title, text, advice}` of an error object. */
export function plain(error) {
  const say = WORDS[error?.code] ?? ((e) => ["Something went wrong", sentence(e?.message ?? ""), "Try again."]);
  const [title, text, advice] = say(error);
  return { title, text, advice };
}

/** One line, for a toast or a reader. */
export function oneLine(error) {
  const { title, text } = plain(error);
  return `${title}. ${text}`;
}

function sentence(message) {
  if (!message) return "";
  const named = /^\S*[-_.\d]\S*/.test(message); // a package's or file's name keeps its spelling
  const text = named ? message : message.charAt(0).toUpperCase() + message.slice(1);
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

const mb = (bytes) => (bytes == null ? "more" : `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`);

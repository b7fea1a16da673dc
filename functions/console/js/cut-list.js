// The list of edits: changed here at once, kept on the server a moment later as its next version.

import { call, post } from "./api.js";
import { useEffect, useRef, useState } from "./lib.js";
import { toast, toastError } from "./toast.js";

const KEPT_AFTER_MS = 800;
const SAME_MS = 1; // the server moves times to samples

/**
 * `{kept, edits, change, undo, redo, saving}`. `kept`: the version that the server has, or null; `edits`: as they
 * stand here. `artifact`: the list that `edit.cut` made last, or null; what was taken back in the one before
 * stays so.
 */
export function useCutList(artifact) {
  const [kept, setKept] = useState(null);
  const [[past, at], setHistory] = useState([[[]], 0]);
  const [saving, setSaving] = useState(false);
  const back = useRef(new Set());
  const sending = useRef(false);
  const edits = past[at];
  const now = useRef(edits);
  now.current = edits;
  const read = () =>
    post("/edit-lists", { artifact_id: artifact.artifact_id }).then((found) => {
      const again = found.edit_list.edits.map((one) => (back.current.has(one.edit_id) ? { ...one, taken_back: true } : one));
      const covers = (one, other) => one.start_ms <= middle(other) && middle(other) <= one.end_ms;
      const since = now.current.filter((one) => !one.edit_id && !one.taken_back && !again.some((other) => other.reason === one.reason && covers(other, one)));
      setKept(found);
      setHistory([since.length ? [again, [...again, ...since].sort((a, b) => a.start_ms - b.start_ms)] : [again], since.length ? 1 : 0]);
    }, toastError);
  useEffect(() => {
    if (artifact) read();
  }, [artifact?.artifact_id]);
  const send = (changes) => {
    sending.current = true; // one at a time: the next change is of the version that this one makes
    const body = { version: kept.version, ...changes };
    return call(`/edit-lists/${kept.edit_list_id}`, { method: "PATCH", body }).finally(() => (sending.current = false)).then(setKept, (failure) => {
      if (failure.status !== 409) return toastError(failure);
      toast("Somebody else has changed the cuts, too: both are kept");
      return read();
    });
  };
  useEffect(() => {
    if (!kept) return undefined;
    back.current = new Set(edits.filter((one) => one.edit_id && one.taken_back).map((one) => one.edit_id));
    const changes = changesOf(kept.edit_list.edits, edits);
    setSaving(Boolean(changes));
    if (!changes || sending.current) return undefined;
    const timer = setTimeout(() => send(changes), KEPT_AFTER_MS);
    return () => clearTimeout(timer);
  }, [kept, edits]);
  const change = (next) => setHistory([[...past.slice(0, at + 1), next], at + 1]);
  const undo = at > 0 ? () => setHistory([past, at - 1]) : null;
  const redo = at < past.length - 1 ? () => setHistory([past, at + 1]) : null;
  return { kept, edits, change, undo, redo, saving };
}

const middle = (one) => (one.start_ms + one.end_ms) / 2;

/** What makes the kept edits these; null where they are. */
export function changesOf(kept, edits) {
  const same = (a, b) => (a.edit_id && a.edit_id === b.edit_id) || (a.action === b.action && a.reason === b.reason && Math.abs(a.start_ms - b.start_ms) < SAME_MS && Math.abs(a.end_ms - b.end_ms) < SAME_MS);
  const stands = (one) => edits.some((other) => !other.taken_back && same(one, other));
  const take_back = kept.filter((one) => !one.taken_back && !stands(one)).map((one) => one.edit_id);
  const put_back = kept.filter((one) => one.taken_back && stands(one)).map((one) => one.edit_id);
  const add = edits.filter((one) => !one.taken_back && !kept.some((other) => same(one, other)))
    .map(({ action, reason, start_ms, end_ms, text }) => ({ action, reason, start_ms, end_ms, text }));
  return take_back.length + put_back.length + add.length ? { take_back, put_back, add } : null;
}

// Values that change and tell whoever listens; preferences are kept in the browser.

import { useEffect, useState } from "./lib.js";

/** A value with listeners. */
export function store(value) {
  const listeners = new Set();
  return {
    get: () => value,
    set(next) {
      value = typeof next === "function" ? next(value) : next;
      for (const listener of [...listeners]) listener(value);
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** A store whose value outlives the page. */
export function kept(name, initial) {
  const key = `rushes.${name}`;
  let value = initial;
  try {
    value = JSON.parse(localStorage.getItem(key)) ?? initial;
  } catch {
    localStorage.removeItem(key); // not ours, or of an older form
  }
  const made = store(value);
  made.subscribe((now) => localStorage.setItem(key, JSON.stringify(now)));
  return made;
}

/** The part of a store that `select` picks; the component renders again when it changes. */
export function useStore(source, select = (value) => value) {
  const [value, setValue] = useState(() => select(source.get()));
  useEffect(() => {
    const update = (next) => setValue(() => select(next));
    update(source.get());
    return source.subscribe(update);
  }, [source]);
  return value;
}

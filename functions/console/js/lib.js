// The view library, bound once: `html` templates make preact nodes.

import { h } from "../vendor/preact.js";
import htm from "../vendor/htm.js";

export { createContext, render } from "../vendor/preact.js";
export {
  useCallback,
  useContext,
  useEffect,
  useId,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
} from "../vendor/hooks.js";

export const html = htm.bind(h);

/** Class names: strings, and what is falsy left out. */
export const cx = (...names) => names.filter(Boolean).join(" ");

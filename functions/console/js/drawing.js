// Drawing on a canvas: when, and at what size.

import { useEffect, useLayoutEffect, useState } from "./lib.js";

/** Draw after each change of `inputs`, and when the colours change. */
export function useDrawing(draw, inputs) {
  const [theme, setTheme] = useState(0);
  useEffect(() => {
    const bump = () => setTheme((now) => now + 1);
    const media = matchMedia("(prefers-color-scheme: dark)");
    media.addEventListener("change", bump);
    addEventListener("rushes:theme", bump);
    return () => {
      media.removeEventListener("change", bump);
      removeEventListener("rushes:theme", bump);
    };
  }, []);
  useLayoutEffect(draw, [...inputs, theme]);
}

/** Size a canvas to its box in device pixels, and clear it. */
export function prepare(canvas) {
  const scale = window.devicePixelRatio || 1;
  const width = Math.max(1, Math.round(canvas.clientWidth * scale));
  const height = Math.max(1, Math.round(canvas.clientHeight * scale));
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, width, height);
  return { context, width, height, scale };
}

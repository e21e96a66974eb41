import type { Theme } from "../../app/preferences.ts";

/** Colours of tokens.css, read for the canvas, which knows no CSS variables. */
export interface Palette {
  readonly of: (token: string) => string;
  readonly font: string;
}

export function readPalette(_theme: Theme): Palette {
  const style = getComputedStyle(document.documentElement);
  return {
    of: (token) => style.getPropertyValue(`--${token}`).trim() || style.getPropertyValue("--ink-3").trim(),
    font: style.getPropertyValue("--font").trim(),
  };
}

import { type Parsed, parsed, wrong } from "./parsed.ts";

/** `0.5`, `0.5S`, `1`: an accuracy class is the limit of error at rated load, per cent (IEC 62053, IEC 61869). */
export function parseAccuracyClass(text: string): Parsed<number> {
  const match = /^(\d{1,2}(?:\.\d{1,3})?)S?$/.exec(text);
  const limit_pct = Number(match?.[1]);
  if (match === null || !(limit_pct > 0)) {
    return wrong(`"${text}" is no accuracy class (allowed: the number on the plate, e.g. 0.2S, 0.5S, 0.5, 1, 2)`);
  }
  return parsed(limit_pct);
}

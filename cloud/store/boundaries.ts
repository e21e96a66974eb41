import type { Boundary, CounterWords, Interval } from "../../core/interval/interval.ts";

/**
 * The opening and closing of an interval as one line of text: `opening|closing`, each empty (unknown) or
 * `<count>[;<words>[;<words across>]]`, words being `<fc>:<address>:<hex>@<at_ms>` or empty. Rows written before boundaries
 * kept the reading across them lack the last part.
 */
export function boundariesText(interval: Pick<Interval, "opening" | "closing">): string {
  return `${boundaryText(interval.opening)}|${boundaryText(interval.closing)}`;
}

/** @throws {RangeError} if the text is none that {@link boundariesText} wrote. */
export function parseBoundaries(text: string): Pick<Interval, "opening" | "closing"> {
  const [opening = "", closing = ""] = text.split("|");
  return { opening: parseBoundary(opening), closing: parseBoundary(closing) };
}

function boundaryText(boundary: Boundary | null): string {
  if (boundary === null) return "";
  const { count, words, across } = boundary;
  if (across !== null) return `${count};${wordsText(words)};${wordsText(across)}`;
  return words === null ? `${count}` : `${count};${wordsText(words)}`;
}

function wordsText(words: CounterWords | null): string {
  return words === null ? "" : `${words.fc}:${words.address}:${words.hex}@${words.at_ms}`;
}

function parseBoundary(text: string): Boundary | null {
  if (text === "") return null;
  const [count = "", words = "", across = ""] = text.split(";");
  return { count: BigInt(count), words: parseWords(words), across: parseWords(across) };
}

const WORDS = /^([34]):(\d+):([0-9A-Fa-f]*)@(-?\d+(?:\.\d+)?)$/;

function parseWords(text: string): CounterWords | null {
  if (text === "") return null;
  const match = WORDS.exec(text);
  if (match === null) throw new RangeError(`not register words: ${text.slice(0, 60)}`);
  const [, fc, address, hex = "", at_ms] = match;
  return { fc: fc === "3" ? 3 : 4, address: Number(address), hex, at_ms: Number(at_ms) };
}

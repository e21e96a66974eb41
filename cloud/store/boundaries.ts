import type { Boundary, CounterWords, Interval } from "../../core/interval/interval.ts";

/**
 * The opening and closing of an interval as one line of text: `opening|closing`, each empty (unknown), `<count>`, or
 * `<count>;<fc>:<address>:<hex>@<at_ms>`.
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
  const { count, words } = boundary;
  return words === null ? `${count}` : `${count};${words.fc}:${words.address}:${words.hex}@${words.at_ms}`;
}

function parseBoundary(text: string): Boundary | null {
  if (text === "") return null;
  const [count = "", words] = text.split(";");
  return { count: BigInt(count), words: words === undefined ? null : parseWords(words) };
}

const WORDS = /^([34]):(\d+):([0-9A-Fa-f]*)@(-?\d+(?:\.\d+)?)$/;

function parseWords(text: string): CounterWords {
  const match = WORDS.exec(text);
  if (match === null) throw new RangeError(`not register words: ${text.slice(0, 60)}`);
  const [, fc, address, hex = "", at_ms] = match;
  return { fc: fc === "3" ? 3 : 4, address: Number(address), hex, at_ms: Number(at_ms) };
}

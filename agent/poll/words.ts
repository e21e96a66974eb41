import type { BusReply } from "../../core/ports.ts";
import type { BlockRead } from "../../drivers/modbus/planner.ts";
import type { Refusal } from "./learn.ts";

/** Names of exception codes. Source: MODBUS Application Protocol V1.1b3 §7. */
const EXCEPTIONS: Readonly<Record<number, string>> = {
  1: "illegal function",
  2: "illegal data address",
  3: "illegal data value",
  4: "device failure",
  5: "acknowledge",
  6: "device busy",
  8: "memory parity error",
  10: "gateway path unavailable",
  11: "gateway target failed to respond",
};

export function exceptionWords(code: number): string {
  return `exception ${code} (${EXCEPTIONS[code] ?? "unknown"})`;
}

export function refusalWords(why: Refusal): string {
  return why.kind === "exception"
    ? exceptionWords(why.code)
    : "no answer to this block, though the meter answers others";
}

/** What was looked for on the meter is not there. The gateway's page knows both by how they begin. */
export function mapNotFoundWords(why: string): string {
  return `${MAP_NOT_FOUND}${why}`;
}

/** The meter answers, and cannot be polled or accounted all the same. */
export function unusableWords(why: string): string {
  return `${UNUSABLE}${why}`;
}

/** What was read is not used: more replies came than were asked for, or others. */
export const DOUBTED = "garbled: replies came twice or one question late";
/** How the words of such failures are known. */
export const ONE_LATE = "one question late";

export const MAP_NOT_FOUND = "its register map was not found: ";
export const UNUSABLE = "it cannot be used: ";

/** What went wrong with a read, for people. */
export function failureWords(
  reply: Exclude<BusReply, { kind: "words" }>,
  { fc, address, count }: Pick<BlockRead, "fc" | "address" | "count">,
  timeout_ms: number,
): string {
  const where = `function ${fc}, address ${address}, ${count} register${count === 1 ? "" : "s"}`;
  if (reply.kind === "timeout") return `no answer within ${timeout_ms} ms (${where})`;
  if (reply.kind === "exception") return `${exceptionWords(reply.code)} at ${where}`;
  return reply.kind === "garbled" ? `garbled reply at ${where}: ${reply.detail}` : `not reachable: ${reply.detail}`;
}

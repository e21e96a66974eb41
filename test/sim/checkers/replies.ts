import type { JournalEntry } from "../../../agent/journal/chunk.ts";
import { decodeSampleRecord } from "../../../agent/journal/sample.ts";
import type { BusRead } from "../../../core/ports.ts";
import { SimRtuLine } from "../../../hw-sim/world/rtuLine.ts";
import type { Findings } from "../findings.ts";
import type { SimAgent } from "../zone.ts";

type Asked = Omit<BusRead, "timeout_ms">;

/**
 * On RTU lines, whose frames do not say what they answer: words that are recorded are what the meter said to that very question,
 * and not long before. How old a count may be `books.ts` judges.
 *
 * Limits   {@link ANSWERS_MAX} answers to a question are known; samples that a full disk kept waiting for longer are not judged
 */
export class RepliesChecker {
  readonly #findings: Findings;
  /** By question: when each of its answers was given last, in order of that. */
  readonly #answers = new Map<string, Map<string, number>>();

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  answered(gateway: string, line: number, asked: Asked, words: Uint16Array, true_ms: number): void {
    const key = keyOf(gateway, line, asked);
    const known = this.#answers.get(key) ?? new Map<string, number>();
    this.#answers.set(key, known);
    const text = words.join(" ");
    known.delete(text);
    known.set(text, true_ms);
    if (known.size > ANSWERS_MAX) known.delete(known.keys().next().value!);
  }

  recorded({ machine, meters, lines }: SimAgent, entries: readonly JournalEntry[]): void {
    for (const entry of entries) {
      const meter = meters.find(({ device }) => device === entry.device);
      if (entry.kind !== "sample" || meter === undefined || !(lines[meter.line] instanceof SimRtuLine)) continue;
      const { sample } = decodeSampleRecord(entry);
      const { unit } = meter.faulty.meter;
      for (const { fc, address, words } of sample.blocks) {
        const asked = { unit, fc, address, count: words.length };
        const known = this.#answers.get(keyOf(machine.name, meter.line, asked));
        const said_ms = known?.get(words.join(" "));
        const isJudged = (known?.size ?? 0) < ANSWERS_MAX;
        const isFresh = machine
          .trueTimesOf(sample.at_ms)
          .some((at_ms) => said_ms !== undefined && said_ms > at_ms - STALE_MS);
        if (isFresh || !isJudged) continue;
        const at = new Date(sample.at_ms).toISOString();
        const when = said_ms === undefined ? "never" : `last at ${new Date(said_ms).toISOString()}`;
        const what = `${machine.name}/${entry.device} ${at}: ${fc} ${address}+${words.length} holds ${words.join(" ")}`;
        this.#findings.report("replies", `${what}, which it said ${when}`);
      }
    }
  }
}

/** An hour of the shortest period. */
const ANSWERS_MAX = 3600;
/** A poll that is interrupted by its line's troubles has the date of its first counter; it takes minutes at most. */
const STALE_MS = 600_000;

function keyOf(gateway: string, line: number, { unit, fc, address, count }: Asked): string {
  return `${gateway} ${line} ${unit} ${fc} ${address} ${count}`;
}

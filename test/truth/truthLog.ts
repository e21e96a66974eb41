import type { FaultLine } from "../../hw-sim/faults/faultRunner.ts";
import type { TruthLine } from "../../hw-sim/truthFile.ts";

/** A line of the truth file: what meters counted, or a fault that began or ended. */
export type TruthEntry = TruthLine | FaultLine;

/** What the checker knows of one meter. */
export interface TrueMeter {
  readonly name: string;
  readonly line: number;
  readonly unit: number;
  readonly model: string;
  /** By boundary, oldest first. */
  readonly at: ReadonlyMap<number, TruthLine>;
  readonly faults: readonly TrueFault[];
}

export interface TrueFault {
  readonly id: string;
  readonly kind: string;
  readonly from_ms: number;
  /** Infinity = it had not ended when the log did. */
  readonly to_ms: number;
}

/** JSON Lines → entries. @throws {SyntaxError} with the line number. */
export function parseTruth(text: string): readonly TruthEntry[] {
  return text.split("\n").flatMap((line, at) => {
    if (line.trim() === "") return [];
    try {
      return [JSON.parse(line) as TruthEntry];
    } catch {
      throw new SyntaxError(`line ${at + 1} of the truth file is no JSON`);
    }
  });
}

/** The log by meter. Two meters of one name cannot be told apart. @throws {RangeError} then. */
export function trueMeters(entries: readonly TruthEntry[]): ReadonlyMap<string, TrueMeter> {
  const lines = entries.filter((entry): entry is TruthLine => "counters" in entry);
  const faults = spansOf(entries.filter((entry): entry is FaultLine => "fault" in entry));
  const meters = new Map<string, TrueMeter & { readonly at: Map<number, TruthLine> }>();
  for (const line of lines) {
    let meter = meters.get(line.name);
    if (meter === undefined) {
      const { name, unit, model } = line;
      const own = faults.filter((fault) => fault.line === line.line && (fault.unit === null || fault.unit === unit));
      meter = { name, line: line.line, unit, model, at: new Map(), faults: own };
      meters.set(name, meter);
    }
    if (meter.line !== line.line || meter.unit !== line.unit) {
      throw new RangeError(`"${line.name}" is the name of two meters: give them different names in sim.yaml`);
    }
    meter.at.set(Date.parse(line.at), line);
  }
  return meters;
}

interface FaultSpan extends TrueFault {
  readonly line: number;
  readonly unit: number | null;
}

/** Each beginning (and each counter that was set) with the first end of the same fault after it; an instant has none and is over at once. */
function spansOf(lines: readonly FaultLine[]): readonly FaultSpan[] {
  return lines.flatMap(({ at, fault }, index): FaultSpan[] => {
    if (fault.state === "end") return [];
    const end = lines.find((later, i) => i > index && later.fault.id === fault.id && later.fault.state === "end");
    const { id, line, unit } = fault;
    // A counter that a command moves close to its end starts anew there; that it passes the end is ordinary.
    const kind = fault.state === "set" ? "register-reset" : fault.kind;
    const from_ms = Date.parse(at);
    const to_ms = end === undefined ? Number.POSITIVE_INFINITY : Date.parse(end.at);
    return [{ id, kind, line, unit, from_ms, to_ms }];
  });
}

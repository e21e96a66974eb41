import type { FaultKind } from "../../hw-sim/faults/catalogue.ts";

/**
 * What a happening explains in the books. Nothing explains energy that is wrong and not marked, save `stale`.
 *
 * gap    rows may be marked S or X, or hold nothing, with a cause; and be absent as long as it has not ended
 * break  counts may start anew: the row it falls into need not join its neighbours
 * stale  the meter (or the clock) lies and nobody can know: figures may be wrong while it lasts, and are right in sum after
 */
export interface Excuse {
  readonly gap: boolean;
  readonly break: boolean;
  readonly stale: boolean;
  /** What happens at an instant has no end of its own; a stale one explains an interval's time after it. */
  readonly instant: boolean;
  /** Stale only in float registers. */
  readonly ofFloats?: true;
  /** A serial number in several registers may be read wrong: the meter counts as replaced, and again when it is read next. */
  readonly ofSerial?: true;
}

const GAP: Excuse = { gap: true, break: false, stale: false, instant: false };
const BREAK: Excuse = { gap: true, break: true, stale: false, instant: false };

export const FAULT_EXCUSES: Readonly<Record<FaultKind, Excuse>> = {
  silent: GAP,
  slow: GAP,
  late: GAP,
  exception: GAP,
  busy: GAP,
  "crc-error": GAP,
  truncated: GAP,
  split: GAP,
  duplicate: GAP,
  "wrong-unit": GAP,
  refused: GAP,
  reset: GAP,
  "half-open": GAP,
  "one-connection": GAP,
  "no-value": GAP,
  // Registers that read zero, and then what they held: a fall and a jump.
  reboot: BREAK,
  frozen: { ...BREAK, stale: true },
  // An integer's words in the other order are far from it; a float's are any number, also one that the meter might show.
  "word-order": { ...BREAK, stale: true, ofFloats: true, ofSerial: true },
  "ct-reversed": BREAK,
  "register-reset": { ...BREAK, instant: true },
  "meter-replaced": { ...BREAK, instant: true },
  // A counter that passes its end is ordinary: it explains nothing.
  rollover: { gap: false, break: false, stale: false, instant: true },
  "clock-jump": { ...BREAK, stale: true, instant: true },
};

/** Something that happened and stands in no truth file: a gateway that was off, a journal that lost a stretch. */
export interface Happening {
  /** null = every meter. */
  readonly meter: string | null;
  readonly what: string;
  readonly from_ms: number;
  readonly to_ms: number;
  readonly excuse: Partial<Excuse> & {
    /** Rows may be absent: the stretch was lost and that was said. */
    readonly absent?: boolean;
  };
}

/** A gateway that was off or could not reach anything: rows over it are marked, its energy is exact all the same. */
export function outage(from_ms: number, to_ms: number, meter: string | null = null): Happening {
  return { meter, what: "outage", from_ms, to_ms, excuse: { gap: true } };
}

/** What a loss record of the gateway names. */
export function loss(from_ms: number, to_ms: number, meter: string | null = null): Happening {
  return { meter, what: "loss", from_ms, to_ms, excuse: { gap: true, absent: true, break: true } };
}

import type { MeterModel } from "../../core/model/meterModel.ts";
import type { QuantityId } from "../../core/units/quantities.ts";
import { SERIAL_MS } from "../../drivers/define.ts";
import type { FaultKind } from "../../hw-sim/faults/catalogue.ts";
import {
  amountText,
  figure,
  floatStep,
  floatUnit,
  hasSerialOfWords,
  isFloat,
  MICRO,
  micro,
  tickOf,
} from "./amounts.ts";
import type { BookBoundary, BookInterval } from "./books.ts";
import { type Excuse, FAULT_EXCUSES, type Happening } from "./excuses.ts";
import { type TrueFault, type TrueMeter, type TruthEntry, trueMeters } from "./truthLog.ts";

/**
 * Compares any collector's books with what simulated meters truly counted.
 *
 * Laws, for each meter and quantity. S(t) is what the counter stands at (truth's `shown`, else `counters`), R(t) =
 * ⌊S(t) / tick⌋ its register.
 * 1 once      no two rows share time, and each is one interval long, cut at its boundaries.
 * 2 whole     every interval of the window has its row.
 * 3 reasons   a row that is not M names a cause, and something happened that explains it; a row may be absent only where a loss
 *             was reported or the meter has not been read since. Nothing explains a second row.
 * 4 energy    along rows that join, the running sum of the books at a boundary is R there less R where the run began: exact to the
 *             tick if readings lie on both boundaries. If a boundary lies between readings at t₁ and t₂, its count was interpolated,
 *             and since S never falls it is off by at most S(t₂) − S(t₁) ≤ rateMax × (t₂ − t₁), and one tick for rounding.
 *             Errors of boundaries never add up: every boundary is compared with where the run began. What is estimated (S)
 *             is free within the gap and exact again at its end. A float32 register is off by half a step of its float.
 * 5 lower     the figure of a row marked X is no more than the truth, and that of a row in which the counter started anew neither;
 *             no such figure is more than rateMax allows.
 * 6 chain     ticks = closing − opening count (modulo the register), and one row's closing is the next one's opening.
 * 7 words     (with `registerAt`) the words a row keeps as evidence are those the meter showed at that instant.
 */
export interface Finding {
  readonly kind:
    | "unknown-meter"
    | "twice"
    | "misaligned"
    | "missing"
    | "no-reason"
    | "unexplained"
    | "energy"
    | "lower-bound"
    | "chain"
    | "words";
  readonly meter: string;
  readonly quantity: QuantityId | null;
  readonly from_ms: number | null;
  readonly to_ms: number | null;
  /** Both figures, in words. */
  readonly text: string;
}

export interface CompareOptions {
  /** The window that must be whole. */
  readonly from_ms: number;
  readonly to_ms: number;
  readonly interval_ms: number;
  /** Poll period of the counters: how far apart readings are where the books keep no evidence of when they were. */
  readonly poll_ms: number;
  /** How long after a trouble has ended the meter may be left alone (back-off of the gateway). Default 60 s. */
  readonly recovery_ms?: number;
  /** Models by the id of the truth, to know which counters are floats. */
  readonly models: ReadonlyMap<string, MeterModel>;
  /** Greatest rate of a counter, units a second; default twice its greatest mean of an interval. */
  readonly rateMax?: (meter: string, quantity: QuantityId) => number;
  /** What happened beside the truth's faults. */
  readonly happenings?: readonly Happening[];
  /** What a meter's registers held, where that can be asked (worlds in virtual time). null = it gave no words. */
  readonly registerAt?: (meter: string, fc: 3 | 4, address: number, count: number, at_ms: number) => Uint16Array | null;
}

/** @returns what is wrong, in the order of meters and time; empty = the books are right. */
export function compareBooks(
  truth: readonly TruthEntry[],
  books: readonly BookInterval[],
  options: CompareOptions,
): readonly Finding[] {
  const meters = trueMeters(truth);
  const strangers = [...new Set(books.map(({ meter }) => meter))].filter((name) => !meters.has(name));
  return [
    ...strangers.map(
      (name): Finding => ({
        ...NOWHERE,
        kind: "unknown-meter",
        meter: name,
        text: `${name}: the books have figures of a meter that the truth does not know`,
      }),
    ),
    ...[...meters.values()].flatMap((meter) => meterFindings(meter, books, options)),
  ];
}

/** Unless the options say otherwise. */
const RECOVERY_MS = 60_000;

const NOWHERE = { quantity: null, from_ms: null, to_ms: null } as const;

function meterFindings(meter: TrueMeter, books: readonly BookInterval[], options: CompareOptions): readonly Finding[] {
  const own = books.filter((row) => row.meter === meter.name);
  const quantities = [...new Set(own.map(({ quantity }) => quantity))];
  if (quantities.length === 0) {
    const text = `${meter.name}: the books hold nothing of it`;
    return [{ ...NOWHERE, kind: "missing", meter: meter.name, text }];
  }
  return quantities.flatMap((quantity) => {
    const rows = own
      .filter((row) => row.quantity === quantity)
      .sort((a, b) => a.from_ms - b.from_ms || a.to_ms - b.to_ms);
    return new Judge(meter, quantity, rows, options).findings();
  });
}

interface Stretch {
  readonly from_ms: number;
  readonly to_ms: number;
}

/** One meter and quantity. */
class Judge {
  readonly #meter: TrueMeter;
  readonly #quantity: QuantityId;
  readonly #rows: readonly BookInterval[];
  readonly #options: CompareOptions;
  readonly #found: Finding[] = [];
  readonly #rateMax_micro_per_s: number;
  /** Of a float32 register: micro-units of one of its units. */
  readonly #float: number | null;
  readonly #isFloat: boolean;

  constructor(meter: TrueMeter, quantity: QuantityId, rows: readonly BookInterval[], options: CompareOptions) {
    this.#meter = meter;
    this.#quantity = quantity;
    this.#rows = rows;
    this.#options = options;
    const model = options.models.get(meter.model);
    this.#float = floatUnit(model, quantity);
    this.#isFloat = isFloat(model, quantity);
    const rate = options.rateMax?.(meter.name, quantity);
    this.#rateMax_micro_per_s = rate === undefined ? this.#greatestRate() : rate * Number(MICRO);
  }

  findings(): readonly Finding[] {
    const single = this.#once();
    this.#whole(single);
    for (const row of single) {
      this.#reason(row);
      this.#inItself(row);
      this.#words(row);
    }
    for (const run of this.#runs(single)) this.#energy(run);
    return this.#found;
  }

  /** Law 1. @returns rows of which each interval has one. */
  #once(): readonly BookInterval[] {
    const kept: BookInterval[] = [];
    for (const row of this.#rows) {
      const before = kept.at(-1);
      const { interval_ms } = this.#options;
      const isCut =
        row.to_ms - row.from_ms === interval_ms && (row.from_ms - this.#options.from_ms) % interval_ms === 0;
      if (!isCut)
        this.#say("misaligned", row, `the row is not an interval of ${interval_ms / 60_000} min of the clock`);
      else if (before !== undefined && row.from_ms < before.to_ms) {
        this.#say("twice", row, `booked twice: ${figure(before)} and ${figure(row)}`);
      } else kept.push(row);
    }
    return kept;
  }

  /** Laws 2 and 3 for rows that are not there. */
  #whole(rows: readonly BookInterval[]): void {
    const { from_ms, to_ms, interval_ms } = this.#options;
    const there = new Set(rows.map((row) => row.from_ms));
    for (let at = from_ms; at + interval_ms <= to_ms; at += interval_ms) {
      if (there.has(at)) continue;
      const place = { from_ms: at, to_ms: at + interval_ms };
      const isNeverReadSince = !rows.some((row) => row.from_ms > at) && this.#explained(place, "gap", to_ms);
      if (isNeverReadSince || this.#explained(place, "absent")) continue;
      const [a, b] = [this.#standsAt(at), this.#standsAt(at + interval_ms)];
      const counted = a === null || b === null ? "" : `; truly counted ${amountText(b - a)} ${this.#unit()}`;
      this.#say("missing", place, `no row and no reason${counted}`);
    }
  }

  /** Law 3 for rows that are there. */
  #reason(row: BookInterval): void {
    if (row.flag === "M" && row.ticks !== null) return;
    if (row.cause === null && row.flag !== "S") {
      this.#say("no-reason", row, `marked ${row.flag} (${figure(row)}) without a cause`);
      return;
    }
    const isFirst = row.cause === "first-reading" && this.#rows[0] === row;
    if (isFirst || this.#explained(row, "gap") || this.#isSerialReadAgain(row)) return;
    this.#say(
      "unexplained",
      row,
      `marked ${row.flag}${row.cause === null ? "" : ` for "${row.cause}"`}, but nothing happened then`,
    );
  }

  /** The meter counts as another one since its serial number was read wrong, until it is read next. */
  #isSerialReadAgain({ from_ms, to_ms, cause }: BookInterval): boolean {
    const { models, interval_ms, poll_ms, recovery_ms = RECOVERY_MS } = this.#options;
    if (cause !== "meter-replaced" || !hasSerialOfWords(models.get(this.#meter.model))) return false;
    const later_ms = Math.max(interval_ms, SERIAL_MS) + recovery_ms + poll_ms;
    return this.#meter.faults.some(
      (fault) =>
        FAULT_EXCUSES[fault.kind as FaultKind]?.ofSerial === true &&
        fault.from_ms - poll_ms <= to_ms &&
        fault.to_ms + later_ms >= from_ms,
    );
  }

  /** Laws 5 and 6 within one row. */
  #inItself(row: BookInterval): void {
    const { ticks, opening, closing } = row;
    if (ticks === null || this.#explained(row, "stale")) return;
    const isNew = this.#explained(row, "break");
    if (row.flag === "X" || isNew) this.#bound(row, ticks * tickOf(row), isNew);
    if (row.flag === "X" || opening === null || closing === null) return;
    // A counter that wrapped stands lower than it began; by how much its range says, and law 4 sees the sum.
    if (closing.count >= opening.count && closing.count - opening.count !== ticks) {
      this.#say("chain", row, `${ticks} ticks between the counts ${opening.count} and ${closing.count}`);
    }
  }

  /** Law 5: what was truly counted, or what the counter moved by (a reversed transformer), whichever is more. */
  #bound(row: BookInterval, booked: bigint, isNew: boolean): void {
    const shown = this.#grew(row, "shown");
    // Another meter's start value is nothing that was counted.
    const isCounted = shown !== null && shown <= this.#growth(row.to_ms - row.from_ms) + tickOf(row);
    const spans = [this.#grew(row, "counters"), isCounted ? shown : null].filter((span) => span !== null);
    if (spans.length === 0) return;
    const most = spans.reduce((a, b) => (a > b ? a : b));
    const ends = this.#slack(row.from_ms, row.opening, row) + this.#slack(row.to_ms, row.closing, row);
    const slack = ends + 2n * tickOf(row);
    // A reversed transformer moved the counter, and it started anew: by how much it had moved the truth does not tell.
    const isUntold = this.#isHitBy(row, ["ct-reversed"]) && this.#isHitBy(row, ["register-reset", "meter-replaced"]);
    if (row.flag !== "S" && booked > most + slack && !isUntold) {
      const what = row.flag === "X" ? "a lower bound of " : "";
      const truly = `${amountText(most)} ${this.#unit()} truly counted`;
      this.#say("lower-bound", row, `${what}${figure(row)} is above the ${truly}`);
    } else if (row.flag === "M" && isNew && !spans.some((span) => booked >= span - slack)) {
      this.#say("energy", row, `booked ${figure(row)} as measured, truly ${amountText(most)}`);
    } else if (booked > this.#growth(row.to_ms - row.from_ms) + slack) {
      this.#say("energy", row, `booked ${figure(row)}, more than the meter can count in that time`);
    }
  }

  #isHitBy({ from_ms, to_ms }: BookInterval, kinds: readonly string[]): boolean {
    return this.#meter.faults.some((one) => kinds.includes(one.kind) && one.from_ms < to_ms && one.to_ms >= from_ms);
  }

  #grew({ from_ms, to_ms }: BookInterval, by: "counters" | "shown"): bigint | null {
    const [a, b] = [from_ms, to_ms].map((at_ms) => {
      const line = this.#meter.at.get(at_ms);
      const value = ((by === "shown" ? line?.shown : null) ?? line?.counters)?.[this.#quantity]?.value;
      return value === undefined ? null : micro(value);
    });
    return a == null || b == null || b < a ? null : b - a;
  }

  /** Law 7. */
  #words(row: BookInterval): void {
    const { registerAt } = this.#options;
    if (registerAt === undefined) return;
    for (const words of [row.opening, row.closing].flatMap((boundary) => [
      boundary?.words ?? null,
      boundary?.across ?? null,
    ])) {
      if (words === null) continue;
      const shown = registerAt(this.#meter.name, words.fc, words.address, words.hex.length / 4, words.at_ms);
      const hex = shown === null ? "nothing" : hexOf(shown);
      if (hex.toLowerCase() === words.hex.toLowerCase()) continue;
      this.#say("words", row, `keeps the words ${words.hex} of ${iso(words.at_ms)}, when the meter showed ${hex}`);
    }
  }

  /** Rows that join and have figures: a run ends at a hole, a row without figure or marked X, and where counts start anew. */
  #runs(rows: readonly BookInterval[]): readonly (readonly BookInterval[])[] {
    const runs: BookInterval[][] = [];
    let open: BookInterval[] = [];
    for (const row of rows) {
      const isUsable = row.ticks !== null && row.flag !== "X" && !this.#explained(row, "break");
      const joins = open.length === 0 || open.at(-1)!.to_ms === row.from_ms;
      if ((!isUsable || !joins) && open.length > 0) {
        runs.push(open);
        open = [];
      }
      if (isUsable) open.push(row);
    }
    return open.length > 0 ? [...runs, open] : runs;
  }

  /** Law 4, and law 6 between rows. */
  #energy(run: readonly BookInterval[]): void {
    const first = run[0]!;
    const start = this.#standsAt(first.from_ms);
    if (start === null) return;
    const tick = tickOf(first);
    let booked = 0n;
    run.forEach((row, at) => {
      const before = run[at - 1];
      if (before?.closing != null && row.opening !== null && before.closing.count !== row.opening.count) {
        this.#say(
          "chain",
          row,
          `opens at count ${row.opening.count}, the row before closed at ${before.closing.count}`,
        );
      }
      booked += (row.ticks ?? 0n) * tickOf(row);
      const end = this.#standsAt(row.to_ms);
      const next = run[at + 1];
      const isInsideGap = row.flag === "S" && (next === undefined ? row.closing === null : next.flag === "S");
      if (end === null || isInsideGap || this.#explained(row, "stale")) return;
      const slack = this.#slack(first.from_ms, first.opening, first) + this.#slack(row.to_ms, row.closing, row);
      const expected = slack === 0n ? (end / tick - start / tick) * tick : end - start;
      const difference = booked - expected;
      const allowed = slack === 0n ? 0n : slack + 2n * tick;
      if (difference >= -allowed && difference <= allowed) return;
      const since = at === 0 ? "" : ` since ${iso(first.from_ms)}`;
      const bound = allowed === 0n ? "to the tick" : `within ${amountText(allowed)}`;
      this.#say(
        "energy",
        row,
        `booked ${amountText(booked)} ${this.#unit()}${since}, truly ${amountText(expected)} (${bound})`,
      );
      // One wrong row is one finding: what follows is measured from here.
      booked = expected;
    });
  }

  /** How far the count of a boundary may be off: 0 if a reading lies on it and the register counts whole steps. */
  #slack(boundary_ms: number, boundary: BookBoundary | null, row: BookInterval): bigint {
    const stands = this.#float === null ? null : this.#standsAt(boundary_ms);
    const shape = this.#float === null || stands === null ? 0n : floatStep(stands, this.#float);
    const words = boundary?.words ?? null;
    if (boundary === null || words === null) {
      return shape + this.#growth(row.flag === "S" ? this.#options.interval_ms : this.#options.poll_ms);
    }
    const { across } = boundary;
    if (across === null) return shape + (words.at_ms === boundary_ms ? 0n : this.#growth(this.#options.poll_ms));
    return shape + this.#growth(Math.abs(words.at_ms - across.at_ms));
  }

  #growth(elapsed_ms: number): bigint {
    return BigInt(Math.ceil((this.#rateMax_micro_per_s * elapsed_ms) / 1000));
  }

  #greatestRate(): number {
    const times = [...this.#meter.at.keys()].sort((a, b) => a - b);
    let greatest = 0;
    for (let i = 1; i < times.length; i++) {
      const [a, b] = [this.#standsAt(times[i - 1]!), this.#standsAt(times[i]!)];
      if (a === null || b === null || b < a) continue;
      greatest = Math.max(greatest, (Number(b - a) * 1000) / (times[i]! - times[i - 1]!));
    }
    return 2 * greatest;
  }

  /** What the counter stands at, micro-units; null = the truth has no line of that instant. */
  #standsAt(at_ms: number): bigint | null {
    const line = this.#meter.at.get(at_ms);
    const value = (line?.shown ?? line?.counters)?.[this.#quantity]?.value;
    return value === undefined ? null : micro(value);
  }

  #unit(): string {
    return this.#rows[0]?.tick.unit ?? "";
  }

  /** Did anything happen in or right before this time that explains it? `until_ms`: and was it still going on then? */
  #explained(row: Stretch, by: "gap" | "break" | "stale" | "absent", until_ms: number | null = null): boolean {
    const { interval_ms, poll_ms, recovery_ms = RECOVERY_MS, happenings = [] } = this.#options;
    const { name, faults } = this.#meter;
    // The last good reading lies up to a poll before a trouble, the next one up to the recovery after it.
    const isSeenByReadings = by === "gap" || by === "break";
    const [before_ms, after_ms] = isSeenByReadings ? [poll_ms, recovery_ms + poll_ms] : [0, 0];
    const touches = (at: Stretch): boolean =>
      at.from_ms - before_ms <= row.to_ms &&
      at.to_ms + after_ms >= row.from_ms &&
      (until_ms === null || at.to_ms + after_ms >= until_ms);
    const ofFault = (fault: TrueFault): boolean => {
      const excuse: Excuse | undefined = FAULT_EXCUSES[fault.kind as FaultKind];
      if (excuse === undefined || by === "absent" || !excuse[by]) return false;
      if (excuse.ofFloats === true && by === "stale" && !this.#isFloat) return false;
      const ofInstant_ms = by === "stale" ? interval_ms : 0;
      return touches({ from_ms: fault.from_ms, to_ms: excuse.instant ? fault.from_ms + ofInstant_ms : fault.to_ms });
    };
    const ofHappening = (one: Happening): boolean =>
      (one.meter === null || one.meter === name) && one.excuse[by] === true && touches(one);
    return faults.some(ofFault) || happenings.some(ofHappening);
  }

  #say(kind: Finding["kind"], { from_ms, to_ms }: Stretch, what: string): void {
    const text = `${this.#meter.name} ${this.#quantity} ${iso(from_ms)} to ${iso(to_ms)}: ${what}`;
    this.#found.push({ kind, meter: this.#meter.name, quantity: this.#quantity, from_ms, to_ms, text });
  }
}

function hexOf(words: Uint16Array): string {
  return [...words].map((word) => word.toString(16).padStart(4, "0")).join("");
}

function iso(at_ms: number): string {
  return new Date(at_ms).toISOString().replace(":00.000Z", "Z");
}

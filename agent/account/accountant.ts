import { type CounterReading, type CounterRegister, counterDelta } from "../../core/counter/counterDelta.ts";
import { type Emission, type Emitter, emissionsOf } from "../../core/emission/emission.ts";
import type { EmissionFactor } from "../../core/emission/factor.ts";
import {
  type CounterAccount,
  noteFailure,
  openAccount,
  setClock,
  snapshot,
  takeReading,
} from "../../core/interval/counterAccount.ts";
import type { Boundary, CounterWords, Interval, IntervalCause } from "../../core/interval/interval.ts";
import type { DeviceDefinition } from "../../core/model/deviceDefinition.ts";
import type { Register } from "../../core/model/meterModel.ts";
import type { EpochMs, ExchangeFailure, Reading, Sample, WordBlock } from "../../core/reading/reading.ts";
import type { QuantityId } from "../../core/units/quantities.ts";
import type { MeterSwapRecord } from "../../core/wire/nodeRecord.ts";
import { clockStep_ms, type Moment, momentOf } from "./clockStep.ts";
import { type HeldCount, type HeldCounts, MeterIdentity, type SavedIdentity } from "./meterIdentity.ts";

/**
 * Accounting of one meter at the edge: samples in, closed intervals and their emissions out. Pure but for the accounts it
 * owns; the same sample stream gives the same figures, so after a restart the journal's samples rebuild it.
 */
export interface Accountant {
  /**
   * Takes one poll, decoded; returns what it closes. `boot` is the one it was taken in: within one boot a clock that was set
   * shows; null where samples come in no real time (history), and no clock is set.
   */
  take(sample: Sample, readings: readonly Reading[], knownAt_ms: EpochMs, boot: number | null): Accounted;
  /** A sample whose date is not known: nothing is counted, but which meter it is of is noted. */
  identify(sample: Sample, boot: number): void;
  /** The accounts as text, to be kept with the batch that was derived from them. */
  save(): string;
  /** Goes on from saved text; accounts of counters that are counted differently now start afresh. */
  restore(text: string): void;
}

/** Accounts as text. Older text is the list of accounts alone, or knows of no serial numbers. */
interface Saved {
  readonly seen: Moment | null;
  readonly accounts: readonly CounterAccount[];
  readonly identity?: SavedIdentity;
}

export interface Accounted {
  readonly intervals: readonly Interval[];
  readonly emissions: readonly Emission[];
  /** Activity that no factor could be found for, with why; shown, never dropped. */
  readonly withoutFactor: readonly { readonly interval: Interval; readonly why: string }[];
  /** Another meter stands in its place. */
  readonly swap: MeterSwapRecord | null;
  /** Its counts make no sense: its serial number should be read with its next poll. */
  readonly asksWho: boolean;
}

const NOTHING: Accounted = { intervals: [], emissions: [], withoutFactor: [], swap: null, asksWho: false };

const NO_COUNTS: readonly HeldCount[] = [];

const CAUSES: Readonly<Record<ExchangeFailure, IntervalCause>> = {
  timeout: "meter-silent",
  exception: "meter-exception",
  garbled: "meter-silent",
  unreachable: "bus-unreachable",
};

export function createAccountant(definition: DeviceDefinition, factors: readonly EmissionFactor[]): Accountant {
  const emitter: Emitter = { ...definition, ncv_MJ_per_Nm3: definition.settings.ncv_MJ_per_Nm3?.value ?? null };
  const accounts = new Map<QuantityId, CounterAccount>();
  for (const counter of definition.counters) {
    if (!counter.accounted) continue;
    accounts.set(
      counter.quantity,
      openAccount(definition.device, counter, definition.interval_ms, definition.time_zone),
    );
  }
  const registers = new Map(definition.registers.map(({ register }) => [register.quantity, register]));

  const wordsOf = (quantity: QuantityId, sample: Sample): CounterWords | null => {
    const register = registers.get(quantity);
    const block = register === undefined ? undefined : blockOf(register, sample);
    if (register === undefined || block === undefined) return null;
    const from = register.address - block.address;
    return {
      fc: register.fc,
      address: register.address,
      hex: hexOf(block.words, from, from + register.words),
      at_ms: sample.at_ms,
    };
  };

  /** When the last sample was taken; null before the first. */
  let seen: Moment | null = null;

  const identity = new MeterIdentity(definition);

  const stepOfClock_ms = (now: Moment): number => {
    const step_ms = clockStep_ms(seen, now, definition.interval_ms);
    seen = now;
    return step_ms;
  };

  /** A number is the value of a gauge: most readings need not be looked for among the accounts. */
  const holdCounter = (readings: readonly Reading[]): boolean => {
    // By index: an iterator makes an object for every reading.
    for (let i = 0; i < readings.length; i++) {
      const { quantity, value } = readings[i]!;
      if (typeof value !== "number" && accounts.has(quantity)) return true;
    }
    return false;
  };

  const countsIn = (sample: Sample, readings: readonly Reading[]): HeldCount[] => {
    const counts: HeldCount[] = [];
    for (let i = 0; i < readings.length; i++) {
      const { quantity, value, quality } = readings[i]!;
      const account = typeof value === "number" ? undefined : accounts.get(quantity);
      if (account === undefined) continue;
      if (typeof value !== "bigint" || quality !== "good") noteFailure(account, "bad-values");
      else counts.push({ quantity, count: value, words: wordsOf(quantity, sample) });
    }
    return counts;
  };

  const takeCounts = ({ at_ms, counts }: HeldCounts, closed: Interval[]): void => {
    for (const { quantity, count, words } of counts) {
      const account = accounts.get(quantity);
      if (account === undefined) continue;
      const intervals = takeReading(account, { at_ms, count, meterSerial: identity.serial }, words);
      if (intervals.length > 0) closed.push(...intervals);
    }
  };

  const makesNoSense = (counts: readonly HeldCount[], at_ms: EpochMs): boolean =>
    counts.some(({ quantity, count }) => {
      const account = accounts.get(quantity);
      if (account === undefined || account.last === null || at_ms <= account.last.at_ms) return false;
      if (isAsExpected(account.last, count, at_ms, account.definition)) return false;
      const delta = counterDelta(account.last, { at_ms, count, meterSerial: null }, account.definition);
      return delta.kind === "gap" && (delta.why === "counter-reset" || delta.why === "rate-too-high");
    });

  /** If the meter is another one now, its first counts being these. */
  const swapAt = ({ at_ms, counts }: HeldCounts): MeterSwapRecord | null => {
    const serialBefore = identity.settle();
    if (serialBefore === null) return null;
    return {
      kind: "meter-swap",
      at_ms: Math.max(0, Math.floor(at_ms)),
      device: definition.device,
      serialBefore,
      serialAfter: identity.serial,
      counters: [...accounts].map(([quantity, { last }]) => ({
        quantity,
        last: last?.count ?? null,
        first: counts.find((one) => one.quantity === quantity)?.count ?? null,
      })),
    };
  };

  const noteFailures = (sample: Sample): void => {
    for (const { fc, address, count, why } of sample.failures) {
      for (const [quantity, account] of accounts) {
        const register = registers.get(quantity);
        if (register?.fc === fc && address <= register.address && register.address < address + count) {
          noteFailure(account, CAUSES[why]);
        }
      }
    }
  };

  return {
    take(sample, readings, knownAt_ms, boot) {
      const isTold = identity.hear(sample, boot);
      const step_ms = boot === null ? 0 : stepOfClock_ms(momentOf(sample, boot));
      const closed: Interval[] = [];
      let swap: MeterSwapRecord | null = null;
      const hasFailed = sample.failures.length > 0;
      const hasCounter = holdCounter(readings);
      const held = isTold || hasFailed || hasCounter || step_ms !== 0 ? identity.release() : null;
      if (held !== null) {
        swap = swapAt(held);
        takeCounts(held, closed);
      }
      if (step_ms !== 0) for (const account of accounts.values()) closed.push(...setClock(account, step_ms));
      if (hasFailed) noteFailures(sample);
      const now: HeldCounts = { at_ms: sample.at_ms, counts: hasCounter ? countsIn(sample, readings) : NO_COUNTS };
      const isUntold = !isTold && identity.serial !== null && now.counts.length > 0;
      const asksWho =
        isUntold && !identity.isDoubted && makesNoSense(now.counts, now.at_ms) && identity.doubt(now.at_ms);
      if (isUntold && identity.isDoubted) identity.hold(now);
      else if (now.counts.length > 0) {
        swap ??= swapAt(now);
        takeCounts(now, closed);
      }
      if (closed.length === 0 && swap === null && !asksWho) return NOTHING;
      return { ...accountFor(closed, emitter, factors, knownAt_ms), swap, asksWho };
    },

    identify(sample, boot) {
      identity.hear(sample, boot);
    },

    save() {
      const saved: Saved = { seen, accounts: [...accounts.values()].map(snapshot), identity: identity.save() };
      return JSON.stringify(saved, bigintsAsText);
    },

    restore(text) {
      const read = JSON.parse(text, textsAsBigint) as Saved | readonly CounterAccount[];
      const then: Saved = "accounts" in read ? read : { seen: null, accounts: read };
      seen = then.seen;
      identity.restore(then.identity ?? null);
      for (const saved of then.accounts) {
        const account = accounts.get(saved.definition.quantity);
        if (account === undefined || !countsTheSame(saved, account)) continue;
        accounts.set(account.definition.quantity, {
          ...saved,
          definition: account.definition,
          opening: withAcross(saved.opening),
          closed: saved.closed ?? [],
          away: saved.away ?? null,
          held_ms: saved.held_ms ?? heldBefore(saved),
        });
      }
    },
  };
}

function accountFor(
  intervals: readonly Interval[],
  emitter: Emitter,
  factors: readonly EmissionFactor[],
  knownAt_ms: EpochMs,
): Pick<Accounted, "intervals" | "emissions" | "withoutFactor"> {
  const emissions: Emission[] = [];
  const withoutFactor: { interval: Interval; why: string }[] = [];
  for (const interval of intervals) {
    const result = emissionsOf(interval, emitter, factors, knownAt_ms);
    if (result.kind === "emissions") emissions.push(...result.entries);
    if (result.kind === "no-factor") withoutFactor.push({ interval, why: result.why });
  }
  return { intervals, emissions, withoutFactor };
}

/** Neither fallen nor faster than it may: as nearly every count, known without a look at what is a gap and why. */
function isAsExpected(last: CounterReading, count: bigint, at_ms: EpochMs, register: CounterRegister): boolean {
  const elapsed_s = (at_ms - last.at_ms) / 1000;
  return count >= last.count && Number(count - last.count) <= elapsed_s * register.rateMax_ticks_per_s;
}

function blockOf({ fc, address, words }: Register, { blocks }: Sample): WordBlock | undefined {
  for (const block of blocks) {
    const at = address - block.address;
    if (block.fc === fc && at >= 0 && at + words <= block.words.length) return block;
  }
  return undefined;
}

/** Text saved before boundaries kept the reading across them lacks the key. */
function withAcross(saved: Boundary | null): Boundary | null {
  return saved === null ? null : { ...saved, across: saved.across ?? null };
}

/** Text saved before accounts noted the time they hold lacks the key: then the clock was not set. */
function heldBefore({ last, from_ms, missing_ms }: CounterAccount): number {
  return last === null ? 0 : Math.max(0, last.at_ms - from_ms - missing_ms);
}

/** Ticks of another size or intervals of another length cannot be gone on with. */
function countsTheSame(a: CounterAccount, b: CounterAccount): boolean {
  return (
    a.definition.tick.amount === b.definition.tick.amount &&
    a.definition.tick.unit === b.definition.tick.unit &&
    a.definition.modulus === b.definition.modulus &&
    a.interval_ms === b.interval_ms &&
    a.timeZone === b.timeZone
  );
}

const HEX_OF_BYTE: readonly string[] = Array.from({ length: 256 }, (_, byte) =>
  byte.toString(16).padStart(2, "0").toUpperCase(),
);

function hexOf(words: Uint16Array, from: number, to: number): string {
  let hex = "";
  for (let i = from; i < to; i++) hex += HEX_OF_BYTE[words[i]! >> 8]! + HEX_OF_BYTE[words[i]! & 0xff]!;
  return hex;
}

function bigintsAsText(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return `${value}n`;
  return typeof value === "number" && Number.isNaN(value) ? "NaN" : value;
}

const BIGINT_KEYS: readonly string[] = ["ticks", "count", "modulus"];
const TIME_KEYS: readonly string[] = ["from_ms", "to_ms"];

/** By their names: a meter may well be called "12n". */
function textsAsBigint(key: string, value: unknown): unknown {
  if (typeof value !== "string") return value;
  if (BIGINT_KEYS.includes(key)) return BigInt(value.slice(0, -1));
  return TIME_KEYS.includes(key) ? Number.NaN : value;
}

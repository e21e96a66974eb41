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
import type { EpochMs, ExchangeFailure, Reading, Sample } from "../../core/reading/reading.ts";
import type { QuantityId } from "../../core/units/quantities.ts";
import { clockStep_ms, type Moment, momentOf } from "./clockStep.ts";

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
  /** The accounts as text, to be kept with the batch that was derived from them. */
  save(): string;
  /** Goes on from saved text; accounts of counters that are counted differently now start afresh. */
  restore(text: string): void;
}

/** Accounts as text. Older text is the list of accounts alone. */
interface Saved {
  readonly seen: Moment | null;
  readonly accounts: readonly CounterAccount[];
}

export interface Accounted {
  readonly intervals: readonly Interval[];
  readonly emissions: readonly Emission[];
  /** Activity that no factor could be found for, with why; shown, never dropped. */
  readonly withoutFactor: readonly { readonly interval: Interval; readonly why: string }[];
}

const NOTHING: Accounted = { intervals: [], emissions: [], withoutFactor: [] };

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
    const block = sample.blocks.find(
      (b) =>
        register !== undefined &&
        b.fc === register.fc &&
        b.address <= register.address &&
        register.address + register.words <= b.address + b.words.length,
    );
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

  const followClock = (now: Moment): Interval[] | null => {
    const step_ms = clockStep_ms(seen, now, definition.interval_ms);
    seen = now;
    if (step_ms === 0) return null;
    const closed = [...accounts.values()].flatMap((account) => setClock(account, step_ms));
    return closed.length === 0 ? null : closed;
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
      let intervals: Interval[] | null = boot === null ? null : followClock(momentOf(sample, boot));
      if (sample.failures.length > 0) noteFailures(sample);
      for (const { quantity, at_ms, value, quality } of readings) {
        const account = accounts.get(quantity);
        if (account === undefined) continue;
        if (typeof value !== "bigint" || quality !== "good") {
          noteFailure(account, "bad-values");
          continue;
        }
        const closed = takeReading(account, { at_ms, count: value, meterSerial: null }, wordsOf(quantity, sample));
        if (closed.length > 0) (intervals ??= []).push(...closed);
      }
      return intervals === null ? NOTHING : accountFor(intervals, emitter, factors, knownAt_ms);
    },

    save: () => JSON.stringify({ seen, accounts: [...accounts.values()].map(snapshot) } satisfies Saved, bigintsAsText),

    restore(text) {
      const read = JSON.parse(text, textsAsBigint) as Saved | readonly CounterAccount[];
      const { seen: seenThen, accounts: savedAccounts } = "accounts" in read ? read : { seen: null, accounts: read };
      seen = seenThen;
      for (const saved of savedAccounts) {
        const account = accounts.get(saved.definition.quantity);
        if (account === undefined || !countsTheSame(saved, account)) continue;
        accounts.set(account.definition.quantity, {
          ...saved,
          definition: account.definition,
          opening: withAcross(saved.opening),
          closed: saved.closed ?? [],
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
): Accounted {
  const emissions: Emission[] = [];
  const withoutFactor: { interval: Interval; why: string }[] = [];
  for (const interval of intervals) {
    const result = emissionsOf(interval, emitter, factors, knownAt_ms);
    if (result.kind === "emissions") emissions.push(...result.entries);
    if (result.kind === "no-factor") withoutFactor.push({ interval, why: result.why });
  }
  return { intervals, emissions, withoutFactor };
}

/** Text saved before boundaries kept the reading across them lacks the key. */
function withAcross(saved: Boundary | null): Boundary | null {
  return saved === null ? null : { ...saved, across: saved.across ?? null };
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

function hexOf(words: Uint16Array, from: number, to: number): string {
  let hex = "";
  for (let i = from; i < to; i++) hex += (words[i] ?? 0).toString(16).padStart(4, "0");
  return hex.toUpperCase();
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

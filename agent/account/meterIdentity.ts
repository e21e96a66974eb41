import type { CounterWords } from "../../core/interval/interval.ts";
import type { DeviceDefinition } from "../../core/model/deviceDefinition.ts";
import type { Register } from "../../core/model/meterModel.ts";
import type { EpochMs, Sample } from "../../core/reading/reading.ts";
import type { QuantityId } from "../../core/units/quantities.ts";
import { SERIAL_NUMBER } from "../../drivers/define.ts";
import { readRegisters } from "../../drivers/modbus/decode.ts";
import { mayBeAnother } from "../poll/settingsWatch.ts";

/** Counts of one sample that wait until it is known whose they are. */
export interface HeldCounts {
  readonly at_ms: EpochMs;
  readonly counts: readonly HeldCount[];
}

export interface HeldCount {
  readonly quantity: QuantityId;
  readonly count: bigint;
  readonly words: CounterWords | null;
}

/** As it is kept with the accounts. */
export interface SavedIdentity {
  readonly serial: string | null;
  readonly told: string | null;
  readonly boot: number | null;
  readonly heardAt_mono_ms: number | null;
  readonly silentPolls: number;
  readonly isDoubted: boolean;
  readonly askedAt_ms: EpochMs | null;
  readonly held: HeldCounts | null;
}

const UNKNOWN: SavedIdentity = {
  serial: null,
  told: null,
  boot: null,
  heardAt_mono_ms: null,
  silentPolls: 0,
  isDoubted: false,
  askedAt_ms: null,
  held: null,
};

/** A counter that keeps making no sense is a reason to ask for the serial number no more often than this. */
const ASK_AGAIN_MS = 60_000;

/**
 * Which physical meter it is that counts, as far as its samples tell: its serial number is among what is read at the start,
 * once an interval and when it comes back. After a silence, a restart, or a count that makes no sense it may be another one: its
 * counts are then held until it told its serial number, or one poll passed without. The same samples give the same answers.
 *
 * Limits   a meter that tells no serial number is always the same one; a zero is none. One that is exchanged unnoticed for
 *          one that stands a little higher is noticed when the serial number is read next, and what it counted until then is
 *          taken for the old one's. One that tells another number for a while, its words swapped, is exchanged twice: the
 *          way back is noticed by a count that makes no sense, or when the serial number is read next.
 */
export class MeterIdentity {
  readonly #definition: DeviceDefinition;
  readonly #register: Register | null;
  #words: Uint16Array | null = null;
  #lastRead: string | null = null;
  #now: { -readonly [K in keyof SavedIdentity]: SavedIdentity[K] } = { ...UNKNOWN };

  constructor(definition: DeviceDefinition) {
    this.#definition = definition;
    this.#register = definition.registers.find(({ register }) => register.name === SERIAL_NUMBER)?.register ?? null;
  }

  /** Of the meter whose counts are taken; null = none was told yet. */
  get serial(): string | null {
    return this.#now.serial;
  }

  get held(): HeldCounts | null {
    return this.#now.held;
  }

  /** @returns whether the sample tells a serial number. `boot` null: of no real time, it tells nothing. */
  hear(sample: Sample, boot: number | null): boolean {
    const now = this.#now;
    if (this.#register === null || boot === null) return false;
    if (now.boot !== boot) {
      now.isDoubted = now.serial !== null;
      now.boot = boot;
      now.heardAt_mono_ms = null;
    }
    if (sample.blocks.length === 0) {
      now.silentPolls += 1;
      const silent_ms = now.heardAt_mono_ms === null ? 0 : sample.mono_ms - now.heardAt_mono_ms;
      if (now.serial !== null && mayBeAnother(now.silentPolls, silent_ms)) now.isDoubted = true;
      return false;
    }
    now.silentPolls = 0;
    now.heardAt_mono_ms = sample.mono_ms;
    const told = this.#read(sample, this.#register);
    if (told === null) return false;
    now.told = told;
    now.isDoubted = false;
    return true;
  }

  /** Whether counts of now are to be held: nobody knows yet whose they are. */
  get isDoubted(): boolean {
    return this.#now.isDoubted;
  }

  /** Counts that make no sense, at this time. @returns whether they are a reason to ask the meter who it is. */
  doubt(at_ms: EpochMs): boolean {
    const { serial, askedAt_ms } = this.#now;
    if (serial === null || (askedAt_ms !== null && Math.abs(at_ms - askedAt_ms) < ASK_AGAIN_MS)) return false;
    this.#now.askedAt_ms = at_ms;
    this.#now.isDoubted = true;
    return true;
  }

  hold(held: HeldCounts): void {
    this.#now.held = held;
  }

  /** What was held is to be taken; a doubt that nobody answered is over. */
  release(): HeldCounts | null {
    const { held } = this.#now;
    if (held === null) return null;
    this.#now.held = null;
    this.#now.isDoubted = false;
    return held;
  }

  /** From now on counts are those of the meter that told its number last. @returns the serial before if it was another. */
  settle(): string | null {
    const { serial, told } = this.#now;
    if (told === null || told === serial) return null;
    this.#now.serial = told;
    return serial;
  }

  save(): SavedIdentity {
    return { ...this.#now };
  }

  /** `saved` null: text of an earlier version, which knew of no serial numbers. */
  restore(saved: SavedIdentity | null): void {
    this.#now = { ...(saved ?? UNKNOWN) };
  }

  /** The words are compared, and decoded only when they differ. */
  #read({ blocks }: Sample, register: Register): string | null {
    for (const { fc, address, words } of blocks) {
      const at = register.address - address;
      if (fc !== register.fc || at < 0 || at + register.words > words.length) continue;
      const own = words.subarray(at, at + register.words);
      if (this.#words !== null && own.every((word, i) => word === this.#words?.[i])) return this.#lastRead;
      this.#words = own.slice();
      const { device, sentinels, settings } = this.#definition;
      const [reading] = readRegisters({ device, registers: [register], sentinels, settings }, blocks);
      const text = reading?.value == null ? "" : String(reading.value).trim();
      this.#lastRead = text === "" || text === "0" ? null : text.slice(0, SERIAL_CHARS_MAX);
      return this.#lastRead;
    }
    return null;
  }
}

/** What a record of a swap can carry. */
const SERIAL_CHARS_MAX = 255;

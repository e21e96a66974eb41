import type { DeviceDefinition } from "../../core/model/deviceDefinition.ts";
import type { Log } from "../../core/ports.ts";
import { decodeSample } from "../../drivers/modbus/decode.ts";
import type { Journal, StoredRecord } from "../journal/journal.ts";
import { decodeSampleRecord } from "../journal/sample.ts";
import type { Accountant } from "./accountant.ts";

/** Boot number of samples from accelerated history; a restart does not replay them into the live accounts. */
export const HISTORY_BOOT = 0;
const REPLAY_CHUNK = 500;
/** Batches after which an account is saved though it closed no interval: what a restart replays at most. */
const SAVE_AFTER_BATCHES = 2000;
/** How often it is looked for such accounts. */
const LOOK_EVERY_BATCHES = 250;

/** A meter as its account knows it. */
export interface AccountedMeter {
  readonly definition: DeviceDefinition;
  /** Of the definition in the journal. */
  readonly hash: string;
  readonly accountant: Accountant;
}

/** Accounts as they stood after the batch at position `asOf`. */
interface SavedAccount {
  readonly asOf: number;
  readonly text: string;
}

/**
 * The accounts of all meters in the journal's state: saved in the commit of what changed them, and after a restart brought up to
 * date by the samples recorded since.
 */
export class SavedAccounts {
  readonly #journal: Journal;
  readonly #log: Log;
  readonly #all: () => Iterable<AccountedMeter>;
  /** Those that closed an interval since they were last saved. */
  readonly #unsaved = new Map<string, Accountant>();
  /** Position as of which each account was last saved, by device. */
  readonly #savedAt = new Map<string, number>();
  /** Those in the commit that is being made. */
  #saving: readonly (readonly [device: string, accountant: Accountant])[] = [];
  #lookedAt = 0;

  /** @param all the meters that have an account now */
  constructor(journal: Journal, log: Log, all: () => Iterable<AccountedMeter>) {
    this.#journal = journal;
    this.#log = log;
    this.#all = all;
  }

  changed(device: string, accountant: Accountant): void {
    this.#unsaved.set(device, accountant);
  }

  /** State for a commit that ends at this position: what changed, and now and then what did not, so that a restart has little to replay. */
  toSave(asOf: number): [string, string][] {
    this.#saving = [...this.#due(asOf)];
    return this.#saving.map(([device, accountant]) => [accountKey(device), savedAccount(asOf, accountant)]);
  }

  /** That commit is on disk. */
  saved(asOf: number): void {
    if (this.#looksAt(asOf)) this.#lookedAt = asOf;
    for (const [device] of this.#saving) this.#savedAt.set(device, asOf);
    this.#saving = [];
    this.#unsaved.clear();
  }

  /** At a stop: nothing is left to replay. @throws what a commit throws */
  saveAll(): void {
    const asOf = this.#journal.position();
    const state: [string, string][] = [];
    for (const { definition, accountant } of this.#all()) {
      state.push([accountKey(definition.device), savedAccount(asOf, accountant)]);
    }
    this.#journal.commit({ entries: [], state: () => state });
  }

  /** The live accounts go on where these end. @throws what a commit throws */
  continueFrom(accountants: ReadonlyMap<string, Accountant>): void {
    const asOf = this.#journal.position();
    const state: [string, string][] = [];
    for (const { definition, accountant } of this.#all()) {
      const text = accountants.get(definition.device)?.save();
      if (text === undefined) continue;
      accountant.restore(text);
      state.push([accountKey(definition.device), savedAccount(asOf, accountant)]);
    }
    this.#journal.commit({ entries: [], state: () => state });
  }

  /** The journal is the truth: accounts go on from their last saved state and the samples recorded since, in one pass for all. */
  replay(meters: readonly AccountedMeter[]): void {
    if (meters.length === 0) return;
    const open = new Map<string, { readonly meter: AccountedMeter; readonly asOf: number }>();
    for (const meter of meters) {
      const saved = this.#journal.getState(accountKey(meter.definition.device));
      const { asOf, text } = saved === null ? { asOf: 0, text: "[]" } : (JSON.parse(saved) as SavedAccount);
      meter.accountant.restore(text);
      open.set(meter.definition.device, { meter, asOf });
      this.#savedAt.set(meter.definition.device, asOf);
    }
    let from = Math.min(...[...open.values()].map(({ asOf }) => asOf)) + 1;
    for (;;) {
      const chunk = this.#journal.history(from, REPLAY_CHUNK);
      if (chunk.length === 0) return;
      for (const record of chunk) {
        const of = record.kind === "sample" ? open.get(record.device) : undefined;
        if (of !== undefined && record.position > of.asOf) this.#tryAgain(of.meter, record);
      }
      from = chunk.at(-1)!.position + 1;
    }
  }

  /** A sample that nobody can read, though its checksum is sound, is no reason not to start: the counters carry the energy. */
  #tryAgain(meter: AccountedMeter, record: StoredRecord): void {
    try {
      this.#takeAgain(meter, record);
    } catch (error) {
      const { device, number } = record;
      this.#log.error("journal.sample-unreadable", { device, number, error: String(error) });
    }
  }

  #takeAgain({ definition, hash, accountant }: AccountedMeter, record: StoredRecord): void {
    const { sample, definition: takenUnder, boot, clock } = decodeSampleRecord(record);
    const then = takenUnder === hash ? definition : this.#journal.definition(takenUnder);
    if (boot === HISTORY_BOOT || then === null || !countsAlike(then, definition)) return;
    if (clock === "waiting") accountant.identify(sample, boot);
    else accountant.take(sample, decodeSample(then, sample), sample.at_ms, boot);
  }

  #due(asOf: number): Iterable<readonly [device: string, accountant: Accountant]> {
    if (!this.#looksAt(asOf)) return this.#unsaved;
    const due = new Map(this.#unsaved);
    for (const { definition, accountant } of this.#all()) {
      const batches = asOf - (this.#savedAt.get(definition.device) ?? 0);
      // The next look would be too late.
      if (batches > SAVE_AFTER_BATCHES - LOOK_EVERY_BATCHES) due.set(definition.device, accountant);
    }
    return due;
  }

  #looksAt(asOf: number): boolean {
    return asOf - this.#lookedAt >= LOOK_EVERY_BATCHES;
  }
}

/** Samples taken under another definition (another poll period, another name) still count, if a booked tick is worth the same. */
function countsAlike(a: DeviceDefinition, b: DeviceDefinition): boolean {
  return a.counters.every((counter) => {
    // What strings of an inverter count is not booked, and they may have been found later.
    if (counter.accounted === false) return true;
    const other = b.counters.find(({ quantity }) => quantity === counter.quantity);
    return (
      other !== undefined &&
      other.modulus === counter.modulus &&
      other.tick.amount === counter.tick.amount &&
      other.tick.unit === counter.tick.unit
    );
  });
}

function accountKey(device: string): string {
  return `account:${device}`;
}

function savedAccount(asOf: number, accountant: Accountant): string {
  return JSON.stringify({ asOf, text: accountant.save() } satisfies SavedAccount);
}

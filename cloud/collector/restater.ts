import { type Emission, emittingQuantity } from "../../core/emission/emission.ts";
import type { EmissionFactor } from "../../core/emission/factor.ts";
import { lookupFactor } from "../../core/emission/lookup.ts";
import { restate } from "../../core/emission/restate.ts";
import type { Clock, Log } from "../../core/ports.ts";
import type { EpochMs } from "../../core/reading/reading.ts";
import { crc32c } from "../../core/wire/crc32c.ts";
import { meterId } from "../store/meterId.ts";
import type { GatewayKey, MeterRow, NewBatch, StoredEmission, ZoneStore } from "../store/store.ts";
import type { BirthReader } from "./births.ts";

/**
 * Keeps the books at the factors known now (methods §10): when a factor file is added, when a factor becomes known, and
 * when a gateway books with an older one, new entries take the place of the earlier ones, which stay readable.
 *
 * It walks the books in small helpings, meter by meter, and remembers in the store how far it came, so a restart goes on.
 * An entry whose factor is not known here is left alone and said: this side cannot say that it knows better.
 */
/** Intervals in one helping, which is one transaction: four days of quarters of an hour. */
const CHUNK = 384;
/** How often it is looked whether the day of publication of a factor has come. */
const FINGERPRINT_MS = 3_600_000;
/** Stretches booked with another factor that wait to be restated; beyond it the whole of the books is walked again. */
const WAITING_MAX = 1000;
/** Gases of one interval. */
const ENTRIES_PER_INTERVAL = 4;
const STATE_KEY = "restatement";

/** How far a walk through the books came. */
interface Walk {
  /** Of the factors it goes by. */
  readonly factors: number;
  /** When it began: its restatements are one run. */
  readonly runAt_ms: EpochMs;
  /** The meter it is at, `<edge>/<device>`; null = done. */
  readonly meter: string | null;
  readonly at_ms: EpochMs;
}

interface Stretch {
  readonly gateway: GatewayKey;
  readonly device: string;
  readonly from_ms: EpochMs;
  readonly to_ms: EpochMs;
}

export class Restater {
  readonly #store: ZoneStore;
  readonly #factors: readonly EmissionFactor[];
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #births: BirthReader;
  readonly #waiting: Stretch[] = [];
  readonly #unknownSaid = new Set<string>();
  #walk: Walk | null;
  #fingerprint: { readonly value: number; readonly at_mono_ms: number } | null = null;
  /** Entries it made since the start. */
  restated = 0;

  constructor(parts: {
    readonly store: ZoneStore;
    readonly factors: readonly EmissionFactor[];
    readonly clock: Clock;
    readonly log: Log;
    readonly births: BirthReader;
  }) {
    this.#store = parts.store;
    this.#factors = parts.factors;
    this.#clock = parts.clock;
    this.#log = parts.log;
    this.#births = parts.births;
    const saved = parts.store.getValue(STATE_KEY);
    this.#walk = saved === null ? null : (JSON.parse(saved) as Walk);
  }

  /** A batch was stored; if its gateway went by another factor than is known here, its intervals wait to be restated. */
  noteBooked({ gateway, device, emissions }: NewBatch): void {
    const [first] = emissions;
    if (first === undefined || emissions.every((entry) => this.#isBest(entry))) return;
    if (this.#waiting.length >= WAITING_MAX) {
      this.#waiting.length = 0;
      this.#walk = null;
      return;
    }
    const from_ms = emissions.reduce((from, entry) => Math.min(from, entry.from_ms), first.from_ms);
    const to_ms = emissions.reduce((to, entry) => Math.max(to, entry.to_ms), first.to_ms);
    this.#waiting.push({ gateway, device, from_ms, to_ms });
  }

  /** One helping. @returns whether there is nothing more to do. */
  run(): boolean {
    const waiting = this.#waiting.shift();
    if (waiting !== undefined) {
      this.#restateStretch(waiting, this.#clock.now_ms());
      return false;
    }
    const factors = this.#factorsNow();
    if (this.#walk === null || this.#walk.factors !== factors) this.#begin(factors);
    const walk = this.#walk!;
    if (walk.meter !== null) this.#step(walk, walk.meter);
    return this.#walk!.meter === null;
  }

  #begin(factors: number): void {
    const meter = this.#meters()[0] ?? null;
    this.#save({ factors, runAt_ms: this.#clock.now_ms(), meter: meter === null ? null : idOf(meter), at_ms: 0 });
  }

  #step(walk: Walk, id: string): void {
    const meters = this.#meters();
    const meter = meters.find((candidate) => idOf(candidate) === id);
    const span = meter === undefined ? null : this.#store.intervalSpan(meter.gateway, meter.device);
    const from_ms = Math.max(walk.at_ms, span?.from_ms ?? 0);
    if (meter === undefined || span === null || from_ms >= span.to_ms) {
      const next = meters.find((candidate) => idOf(candidate) > id);
      this.#save({ ...walk, meter: next === undefined ? null : idOf(next), at_ms: 0 });
      if (next === undefined) this.#log.info("restater.done", { entries: this.restated });
      return;
    }
    const to_ms = from_ms + CHUNK * meter.interval_ms;
    const stretch = { gateway: meter.gateway, device: meter.device, from_ms, to_ms };
    this.#save({ ...walk, at_ms: this.#restateStretch(stretch, walk.runAt_ms) });
  }

  /** @returns where it came to: the end, or less when the stretch holds more intervals than one helping. */
  #restateStretch({ gateway, device, from_ms, to_ms }: Stretch, runAt_ms: EpochMs): EpochMs {
    const profile = this.#births.profileAt(this.#store.batchAtOrBefore(gateway, device, to_ms));
    const quantity = profile === null ? null : emittingQuantity(profile);
    if (profile === null || quantity === null) return to_ms;
    const intervals = this.#store.intervals(gateway, device, quantity, from_ms, to_ms, CHUNK);
    const end_ms = intervals.length < CHUNK ? to_ms : intervals.at(-1)!.to_ms;
    const held = byStart(this.#store.emissions(gateway, device, from_ms, to_ms, CHUNK * ENTRIES_PER_INTERVAL));
    const entries: Emission[] = [];
    for (const interval of intervals) {
      const result = restate(interval, held.get(interval.from_ms) ?? [], profile, this.#factors, this.#clock.now_ms());
      if (result.kind === "unknown-factor") this.#sayUnknown(gateway, device, result.factor);
      if (result.kind === "restated") entries.push(...result.entries);
    }
    if (entries.length === 0) return end_ms;
    const made = this.#store.restate({ gateway, device, runAt_ms, reason: "factors-changed", entries });
    this.restated += made;
    if (made > 0) this.#log.info("restater.restated", { ...gateway, device, from_ms, to_ms: end_ms, entries: made });
    return end_ms;
  }

  /** Entries by a factor of a file that only the gateway has. */
  #sayUnknown(gateway: GatewayKey, device: string, factor: string): void {
    if (this.#unknownSaid.has(factor)) return;
    this.#unknownSaid.add(factor);
    this.#log.warn("restater.factor-unknown", { ...gateway, device, factor, code: "FACTOR_MISSING" });
  }

  #isBest({ carrier, from_ms, factorId, factorVersion, match }: Emission): boolean {
    const best = lookupFactor(this.#factors, carrier, from_ms, this.#clock.now_ms());
    if (best.kind === "none") return true;
    return best.factor.id === factorId && best.factor.version === factorVersion && best.kind === match;
  }

  #meters(): readonly MeterRow[] {
    const meters = this.#store
      .meters()
      .filter((meter) => emittingQuantity({ ...meter, ncv_MJ_per_Nm3: null }) !== null);
    return [...meters].sort((a, b) => (idOf(a) < idOf(b) ? -1 : 1));
  }

  /** Of the factors known now: another one when a file was added, or the day of publication of one has come. */
  #factorsNow(): number {
    const mono_ms = this.#clock.mono_ms();
    const held = this.#fingerprint;
    if (held !== null && mono_ms - held.at_mono_ms < FINGERPRINT_MS) return held.value;
    const now_ms = this.#clock.now_ms();
    const known = this.#factors.filter(({ known_from_ms }) => known_from_ms === null || known_from_ms <= now_ms);
    const value = crc32c(new TextEncoder().encode(JSON.stringify(known)));
    this.#fingerprint = { value, at_mono_ms: mono_ms };
    return value;
  }

  #save(walk: Walk): void {
    this.#walk = walk;
    this.#store.setValue(STATE_KEY, JSON.stringify(walk));
  }
}

function idOf({ gateway, device }: MeterRow): string {
  return meterId(gateway, device);
}

function byStart(entries: readonly StoredEmission[]): ReadonlyMap<EpochMs, readonly StoredEmission[]> {
  const map = new Map<EpochMs, StoredEmission[]>();
  for (const entry of entries) {
    const held = map.get(entry.from_ms);
    if (held === undefined) map.set(entry.from_ms, [entry]);
    else held.push(entry);
  }
  return map;
}

import { KG_OF, LITRES_OF, MJ_OF, NM3_OF } from "../../core/emission/basis.ts";
import { CARRIERS } from "../../core/emission/carriers.ts";
import { emissionsOf, emittingQuantity } from "../../core/emission/emission.ts";
import type { EmissionFactor } from "../../core/emission/factor.ts";
import { type Fraction, fromText, over, roundFraction, times } from "../../core/emission/fraction.ts";
import { KhuXanhError } from "../../core/errors.ts";
import {
  fillGap,
  type Gap,
  type GapEvidence,
  type GapRule,
  INTERPOLATION_MAX_MS,
  spreadOver,
} from "../../core/gap/gapRules.ts";
import { type Bucket, intervalStart } from "../../core/interval/calendar.ts";
import type { Clock, Log } from "../../core/ports.ts";
import type { EpochMs } from "../../core/reading/reading.ts";
import type { UnitNotation } from "../../core/units/units.ts";
import { meterId } from "../store/meterId.ts";
import type { MeterRow, NewSubstitution, StoredInterval, StoredSubstitution, ZoneStore } from "../store/store.ts";
import { SUBSTITUTED_EPOCH } from "../store/substitutions.ts";
import type { BirthReader } from "./births.ts";

/**
 * Fills gaps as their authors ask (`fills_file`; methods §9): gathers what the books know, lets the rules decide, books what
 * stands in, and its emissions. Each entry is applied once, by name; what was measured stays.
 */
export interface FillRequest {
  readonly name: string;
  /** `<gateway>/<device>`. */
  readonly meter: string;
  readonly from: EpochMs;
  readonly to: EpochMs;
  readonly author: string;
  readonly rule: GapRule | "first-that-applies";
  readonly redundant_meter?: string;
  readonly is_power_like: boolean;
  readonly comparable_weeks: number;
  readonly production_ratio?: number;
  readonly invoice?: { readonly total: string; readonly unit: UnitNotation; readonly document: string };
  readonly conservative?: {
    readonly total: string;
    readonly unit: UnitNotation;
    readonly method: string;
    readonly document: string;
  };
}

export interface Filler {
  readonly store: ZoneStore;
  readonly factors: readonly EmissionFactor[];
  readonly births: BirthReader;
  readonly clock: Clock;
  readonly log: Log;
}

const WEEK_MS = 7 * 86_400_000;

/** Applies what was not applied yet; one that cannot be is said, and stops no other. */
export function applyFills(fills: readonly FillRequest[], filler: Filler): void {
  for (const request of fills) {
    if (filler.store.findSubstitution(request.name) !== null) continue;
    try {
      apply(request, filler);
    } catch (error) {
      if (!(error instanceof KhuXanhError)) throw error;
      const { code, hint } = error;
      filler.log.error("books.fill-refused", { fill: request.name, code, why: error.message, hint });
    }
  }
}

/** @throws {KhuXanhError} GAP_NOT_FILLED: no such meter or gap, or no rule applies. */
function apply(request: FillRequest, filler: Filler): void {
  const { store, log } = filler;
  const gap = gapOf(request, filler);
  const evidence = evidenceOf(request, gap, filler);
  const result = fillGap({ ...gap, intervals: gap.missing }, evidence, request.author, filler.clock.now_ms());
  if (result.kind === "left-missing") {
    const tried = result.tried.map(({ rule, why }) => `${rule}: ${why}`).join("; ");
    throw refused(
      request,
      `no rule applies (${tried})`,
      "Give what one of the rules needs, or leave the gap as it is.",
    );
  }
  const { rule, flag, inputs, ticks } = result.substitution;
  const { meter, quantity, tick } = gap;
  const intervals = gap.missing.map((bucket, i) => ({ ...bucket, ticks: ticks[i]! }));
  const fill: NewSubstitution = {
    gateway: meter.gateway,
    device: meter.device,
    quantity,
    name: request.name,
    rule,
    flag,
    inputs,
    author: request.author,
    tick,
    intervals,
  };
  const stored = store.substitute(fill);
  if (stored === null) return;
  bookEmissions(stored, meter, filler);
  log.info("books.gap-filled", { fill: request.name, meter: request.meter, rule, intervals: stored.intervals });
}

interface FoundGap extends Gap {
  readonly meter: MeterRow;
  readonly quantity: NewSubstitution["quantity"];
  readonly tick: NewSubstitution["tick"];
  /** The intervals without a figure, in order. */
  readonly missing: readonly Bucket[];
}

function gapOf(request: FillRequest, { store }: Filler): FoundGap {
  const meter = meterOf(request.meter, store);
  if (meter === null) {
    const known = store
      .meters()
      .map(({ gateway, device }) => meterId(gateway, device))
      .join(", ");
    throw refused(
      request,
      `there is no meter ${request.meter}`,
      `Write gateway/meter; known are: ${known || "none yet"}.`,
    );
  }
  const quantity = CARRIERS[meter.carrier].counters[0]!;
  const { interval_ms, time_zone, gateway, device } = meter;
  const intervals: Bucket[] = [];
  for (let at = intervalStart(request.from, interval_ms, time_zone); at < request.to; at += interval_ms) {
    if (at >= request.from) intervals.push({ from_ms: at, to_ms: at + interval_ms });
  }
  const held = new Map(
    store
      .intervals(gateway, device, quantity, request.from, request.to, intervals.length)
      .map((interval) => [interval.from_ms, interval]),
  );
  const missing = intervals.filter(({ from_ms }) => isMissing(held.get(from_ms)));
  if (missing.length === 0) {
    throw refused(request, "nothing is missing there", "Measured figures are never replaced; check from and to.");
  }
  const tick = tickNear(meter, quantity, request.from, store);
  if (tick === null) {
    throw refused(request, "the meter has no interval yet", "A gap can be filled once its meter has been read.");
  }
  return { device, quantity, meter, tick, intervals, missing };
}

function isMissing(interval: StoredInterval | undefined): boolean {
  return (
    interval === undefined || interval.ticks === null || interval.flag === "X" || interval.epoch === SUBSTITUTED_EPOCH
  );
}

/** What a tick was worth around the gap. */
function tickNear({ gateway, device }: MeterRow, quantity: FoundGap["quantity"], at_ms: EpochMs, store: ZoneStore) {
  const [before] = store.intervals(gateway, device, quantity, 0, at_ms, 1, "newest");
  const [after] = store.intervals(gateway, device, quantity, at_ms, Number.MAX_SAFE_INTEGER, 1, "oldest");
  return (before ?? after)?.tick ?? null;
}

function evidenceOf(request: FillRequest, gap: FoundGap, filler: Filler): GapEvidence {
  const wants = (rule: GapRule) => request.rule === "first-that-applies" || request.rule === rule;
  const weeks = weeksOf(request, gap, filler);
  const profile = profileOf(weeks, gap.missing.length);
  const redundant = wants("redundant-meter") ? redundantOf(request, gap, filler) : null;
  const neighbours = wants("interpolation") && request.is_power_like ? neighboursOf(gap, filler) : null;
  const { invoice, conservative } = request;
  return {
    ...(redundant === null ? {} : { redundantMeter: redundant }),
    ...(neighbours === null ? {} : { neighbours }),
    ...(wants("comparable-weeks") && weeks.length > 0
      ? { comparableWeeks: { weeks, productionRatio: request.production_ratio ?? null } }
      : {}),
    ...(wants("invoice") && invoice !== undefined
      ? { invoice: { document: invoice.document, total: ticksOf(invoice, gap, request), weights: profile } }
      : {}),
    ...(wants("conservative") && conservative !== undefined
      ? {
          conservative: {
            method: conservative.method,
            document: conservative.document,
            ticks: spreadOver({ ...gap, intervals: gap.missing }, ticksOf(conservative, gap, request), profile),
          },
        }
      : {}),
  };
}

/** The same intervals one, two, … weeks earlier, of weeks in which all of them were measured; the newest first. */
function weeksOf({ comparable_weeks }: FillRequest, gap: FoundGap, { store }: Filler): readonly (readonly bigint[])[] {
  const weeks: (readonly bigint[])[] = [];
  for (let back = 1; back <= comparable_weeks; back++) {
    const ticks = measured(gap.meter, gap, -back * WEEK_MS, store);
    if (ticks !== null) weeks.push(ticks);
  }
  return weeks;
}

/** Ticks of another stretch of the meter as long as the gap, or null if any of it is not measured in the same tick. */
function measured(meter: MeterRow, gap: FoundGap, shift_ms: number, store: ZoneStore): readonly bigint[] | null {
  const first = gap.missing[0]!;
  const last = gap.missing.at(-1)!;
  const count = (last.to_ms - first.from_ms) / meter.interval_ms;
  const quantity = CARRIERS[meter.carrier].counters[0]!;
  const rows = new Map(
    store
      .intervals(meter.gateway, meter.device, quantity, first.from_ms + shift_ms, last.to_ms + shift_ms, count)
      .map((row) => [row.from_ms, row]),
  );
  const ticks = gap.missing.map(({ from_ms }) => {
    const row = rows.get(from_ms + shift_ms);
    const isMeasured = row?.flag === "M" || row?.flag === "C";
    const isSameTick = row?.tick.amount === gap.tick.amount && row.tick.unit === gap.tick.unit;
    return isMeasured && isSameTick ? row.ticks : null;
  });
  return ticks.every((one) => one !== null) ? ticks : null;
}

function redundantOf(
  request: FillRequest,
  gap: FoundGap,
  { store }: Filler,
): NonNullable<GapEvidence["redundantMeter"]> | null {
  if (request.redundant_meter === undefined) return null;
  const meter = meterOf(request.redundant_meter, store);
  const ticks = meter === null ? null : measured(meter, gap, 0, store);
  return ticks === null ? null : { source: request.redundant_meter, ticks };
}

/** Mean rates of the intervals on both sides, if both are measured and the gap is short enough to be asked. */
function neighboursOf(gap: FoundGap, { store }: Filler): NonNullable<GapEvidence["neighbours"]> | null {
  const first = gap.missing[0]!;
  const last = gap.missing.at(-1)!;
  if (last.to_ms - first.from_ms > INTERPOLATION_MAX_MS) return null;
  const { gateway, device } = gap.meter;
  const rate = (from_ms: EpochMs): number | null => {
    const [row] = store.intervals(gateway, device, gap.quantity, from_ms, from_ms + 1, 1);
    const isMeasured = row !== undefined && row.flag === "M" && row.ticks !== null;
    return isMeasured ? (Number(row.ticks) * 1000) / (row.to_ms - row.from_ms) : null;
  };
  const before = rate(first.from_ms - gap.meter.interval_ms);
  const after = rate(last.to_ms);
  return before === null || after === null ? null : { before_ticks_per_s: before, after_ticks_per_s: after };
}

/** Shape of the comparable weeks; empty = none, spread by time. */
function profileOf(weeks: readonly (readonly bigint[])[], count: number): readonly number[] {
  if (weeks.length === 0) return [];
  return Array.from({ length: count }, (_, i) => Number(weeks.reduce((sum, week) => sum + week[i]!, 0n)));
}

/** Units of one kind, each as a multiple of the same base. */
const KINDS: readonly Readonly<Partial<Record<UnitNotation, Fraction>>>[] = [MJ_OF, KG_OF, LITRES_OF, NM3_OF];

/** A stated amount in ticks of the meter. */
function ticksOf(
  { total, unit }: { readonly total: string; readonly unit: UnitNotation },
  { tick, meter }: FoundGap,
  request: FillRequest,
): bigint {
  const kind = KINDS.find((units) => units[unit] !== undefined && units[tick.unit] !== undefined);
  const perTickUnit =
    unit === tick.unit ? fromText("1") : kind === undefined ? null : over(kind[unit]!, kind[tick.unit]!);
  if (perTickUnit === null) {
    throw refused(
      request,
      `${unit} is no unit of ${meterId(meter.gateway, meter.device)}, which counts in ${tick.unit}`,
      "State it in that unit.",
    );
  }
  return roundFraction(over(times(fromText(total), perTickUnit), fromText(tick.amount)));
}

/** What stands in emits like what was measured, with the factor of its time. */
function bookEmissions(stored: StoredSubstitution, meter: MeterRow, filler: Filler): void {
  const { id, gateway, device, quantity, from_ms, to_ms } = stored;
  const { store, factors, births, clock } = filler;
  const profile = births.profileAt(store.batchAtOrBefore(gateway, device, clock.now_ms()));
  const emitter = profile ?? { ...meter, ncv_MJ_per_Nm3: null };
  if (emittingQuantity(emitter) !== quantity) return;
  const intervals = store
    .intervals(gateway, device, quantity, from_ms, to_ms, Number.MAX_SAFE_INTEGER)
    .filter(({ epoch, batch }) => epoch === SUBSTITUTED_EPOCH && batch === id);
  const entries = intervals.flatMap((interval) => {
    const result = emissionsOf(interval, emitter, factors, clock.now_ms());
    return result.kind === "emissions" ? result.entries : [];
  });
  if (entries.length === 0) return;
  store.restate({ gateway, device, runAt_ms: clock.now_ms(), reason: "gap-filled", entries });
}

function meterOf(id: string, store: ZoneStore): MeterRow | null {
  return store.meters().find(({ gateway, device }) => meterId(gateway, device) === id) ?? null;
}

function refused({ name, meter }: FillRequest, why: string, hint: string): KhuXanhError {
  return new KhuXanhError("GAP_NOT_FILLED", `${name}: ${why}`, { hint, context: { fill: name, meter } });
}

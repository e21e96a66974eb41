import type { Span } from "../../core/accounting/activity.ts";
import { failedCriteria, type Instrument } from "../../core/accounting/market.ts";
import {
  bookMarket,
  cutDay,
  type DayOfMeter,
  joinParts,
  type MarketDay,
  type MarketPart,
  type Masses,
  type ResidualMix,
} from "../../core/accounting/marketBook.ts";
import { GASES } from "../../core/emission/factor.ts";
import {
  type Fraction,
  fraction,
  fromDecimal,
  fromText,
  ONE,
  over,
  plus,
  product,
  roundFraction,
  times,
  ZERO,
} from "../../core/emission/fraction.ts";
import { lookupFactor } from "../../core/emission/lookup.ts";
import { type Bucket, buckets as cut, stepStart } from "../../core/interval/calendar.ts";
import type { EpochMs } from "../../core/reading/reading.ts";
import { type CatalogMeter, catalogue, emitting } from "./catalogue.ts";
import type { ApiDeps } from "./deps.ts";
import { amountIn } from "./energy.ts";

/**
 * Market-based scope 2 of metered electricity (methods §3, W07).
 *
 * Instruments cover a factory's grid consumption of their period local day by local day, from the first day on, whatever
 * period is asked for; within a day evenly per kWh, rounded at the cuts. So the steps of an answer add up to its total, and
 * days to months to years, to the milligram; and no kWh of an instrument counts in two answers. Export has no part in it.
 * Certificates sold of own generation add grid electricity, spread evenly over the days of their period; they are booked
 * with the factory's first grid meter.
 */
export interface MarketFile {
  readonly instruments: readonly (Instrument & {
    readonly site: string;
    readonly span: Span;
    readonly knownFrom_ms: EpochMs | null;
  })[];
  readonly certificatesSold: readonly {
    readonly site: string;
    readonly MWh: Fraction;
    readonly span: Span;
    readonly source: string;
    readonly knownFrom_ms: EpochMs | null;
  }[];
  readonly residualMix: ResidualMix | null;
}

export const NO_INSTRUMENTS: MarketFile = { instruments: [], certificatesSold: [], residualMix: null };

type SiteInstrument = MarketFile["instruments"][number];

/** The market-based book cut into the buckets of a question. */
export interface MarketBooks {
  /** What the meter's electricity of the bucket is made of; null = the meter's location-based entries stand. */
  parts(meter: string, bucket: number): readonly MarketPart[] | null;
  /** The same of all the buckets together, which follow each other. */
  partsOfAll(meter: string): readonly MarketPart[] | null;
  /** How much of each instrument is used from its beginning to the end of the question, MWh. */
  readonly usedUntil: ReadonlyMap<string, Fraction>;
}

const KWH_PER_MWH = fraction(1000n);
const WH_PER_MWH = fraction(1_000_000n);

/** What counts as the books stood at that instant; null = now. */
export function knownThen<T extends { readonly knownFrom_ms: EpochMs | null }>(
  all: readonly T[],
  at_ms: EpochMs | null,
) {
  return at_ms === null ? all : all.filter((one) => one.knownFrom_ms === null || one.knownFrom_ms <= at_ms);
}

function isEligible(instrument: SiteInstrument): boolean {
  return failedCriteria(instrument, instrument.span).length === 0;
}

/** @param meters whose figures are asked for; their sites' other meters are matched along with them. */
export function readMarket(
  deps: ApiDeps,
  meters: readonly CatalogMeter[],
  buckets: readonly Bucket[],
  knownAt_ms: EpochMs | null,
): MarketBooks | null {
  const { instruments, certificatesSold, residualMix } = deps.market ?? NO_INSTRUMENTS;
  const [first, last] = [buckets[0], buckets.at(-1)];
  if (first === undefined || last === undefined) return null;
  const sites = new Set(meters.filter(isGrid).map(({ site }) => site));
  const eligible = knownThen(instruments, knownAt_ms).filter((one) => sites.has(one.site) && isEligible(one));
  const sold = knownThen(certificatesSold, knownAt_ms).filter((one) => sites.has(one.site));
  const concerned = new Set([...eligible, ...sold].map(({ site }) => site));
  const matched = catalogue(deps.store, deps.zone, deps.sites).filter(
    (meter) => isGrid(meter) && (concerned.has(meter.site ?? "") || (residualMix !== null && sites.has(meter.site))),
  );
  if (matched.length === 0) return null;
  const { time_zone } = deps.zone;
  const from_ms = reachBack(eligible, first.from_ms, last.to_ms);
  const days = cut(stepStart(from_ms, "day", time_zone), dayEnd(last.to_ms, time_zone), "day", time_zone);
  const pools = [
    ...meterDays(deps, matched, days, knownAt_ms),
    ...soldDays(deps, sold, firstMeters(matched), days, knownAt_ms),
  ].sort((a, b) => a.span.from_ms - b.span.from_ms || (a.meter < b.meter ? -1 : a.meter > b.meter ? 1 : 0));
  const booked = bookMarket(pools, eligible, residualMix);
  return { ...cutter(deps, matched, booked, buckets), usedUntil: usage(booked) };
}

/** Power bought from a neighbour in the zone is not of the grid: no instrument covers it. */
export function isGrid(meter: CatalogMeter): boolean {
  return meter.row.carrier === "electricity" && meter.row.supplier === null && emitting(meter) !== null;
}

/** An instrument in use now may have been used before, and shares those days with others that began earlier still. */
function reachBack(instruments: readonly SiteInstrument[], from_ms: EpochMs, to_ms: EpochMs): EpochMs {
  const earlier = instruments.filter(
    ({ span }) => span.from_ms < from_ms && span.to_ms > from_ms && span.from_ms < to_ms,
  );
  if (earlier.length === 0) return from_ms;
  return reachBack(instruments, Math.min(...earlier.map(({ span }) => span.from_ms)), to_ms);
}

function dayEnd(at_ms: EpochMs, timeZone: string): EpochMs {
  const start_ms = stepStart(at_ms, "day", timeZone);
  return start_ms === at_ms ? at_ms : stepStart(start_ms + 30 * 3_600_000, "day", timeZone);
}

/** Certificates sold are booked with the first grid meter of the site, by its id. */
function firstMeters(meters: readonly CatalogMeter[]): ReadonlyMap<string, string> {
  const first = new Map<string, string>();
  for (const { site, id } of meters) {
    const held = first.get(site!);
    if (held === undefined || id < held) first.set(site!, id);
  }
  return first;
}

function meterDays(
  deps: ApiDeps,
  meters: readonly CatalogMeter[],
  days: readonly Bucket[],
  knownAt_ms: EpochMs | null,
): readonly DayOfMeter[] {
  const energy = energyByBucket(deps, meters, days);
  const mg = new Map<string, Partial<Record<keyof Masses, bigint>>>();
  const keys = meters.map(({ key }) => key);
  for (const entry of deps.store.sumEmissions(keys, days, knownAt_ms ?? undefined)) {
    const key = `${entry.gateway.edge}/${entry.device} ${entry.bucket}`;
    const held = mg.get(key) ?? {};
    held[entry.gas] = (held[entry.gas] ?? 0n) + entry.mg;
    mg.set(key, held);
  }
  return meters.flatMap(({ id, site }) =>
    days.flatMap((span, at): DayOfMeter[] => {
      const MWh = energy.get(`${id} ${at}`);
      return MWh === undefined
        ? []
        : [{ meter: id, site: site!, span, MWh, mg: mg.get(`${id} ${at}`) ?? {}, isSold: false }];
    }),
  );
}

/** MWh drawn, by meter and bucket. */
export function energyByBucket(
  deps: ApiDeps,
  meters: readonly CatalogMeter[],
  spans: readonly Bucket[],
): ReadonlyMap<string, Fraction> {
  const energy = new Map<string, Fraction>();
  const keys = meters.map(({ key }) => key);
  const quantities = [...new Set(meters.flatMap((meter) => emitting(meter) ?? []))];
  for (const drawn of deps.store.sumEnergy(keys, spans, quantities)) {
    const key = `${drawn.gateway.edge}/${drawn.device} ${drawn.bucket}`;
    const MWh = over(fromDecimal(amountIn("kWh", drawn.ticks, drawn.tick)), KWH_PER_MWH);
    energy.set(key, plus(energy.get(key) ?? ZERO, MWh));
  }
  return energy;
}

/** Days that have begun, each with its share of what was sold, by the grid factor of that day. */
function soldDays(
  deps: ApiDeps,
  sold: MarketFile["certificatesSold"],
  meterOf: ReadonlyMap<string, string>,
  days: readonly Bucket[],
  knownAt_ms: EpochMs | null,
): readonly DayOfMeter[] {
  const now_ms = deps.clock.now_ms();
  return sold.flatMap(({ site, MWh, span }) => {
    const meter = meterOf.get(site);
    if (meter === undefined) return [];
    return days
      .filter((day) => day.from_ms < now_ms && span.from_ms <= day.from_ms && day.to_ms <= span.to_ms)
      .map((day): DayOfMeter => {
        const share = fraction(BigInt(day.to_ms - day.from_ms), BigInt(span.to_ms - span.from_ms));
        const ofDay = times(MWh, share);
        const match = lookupFactor(deps.factors, "electricity", day.from_ms, knownAt_ms ?? now_ms);
        const perWh = match.kind === "none" ? {} : match.factor.mg_per_basis;
        const mg = Object.fromEntries(
          GASES.flatMap((gas) => {
            const rate = perWh[gas];
            return rate === undefined ? [] : [[gas, roundFraction(product(ofDay, WH_PER_MWH, fromText(rate)))]];
          }),
        );
        return { meter, site, span: day, MWh: ofDay, mg, isSold: true };
      });
  });
}

/** Cuts booked days into buckets: a whole day as it is, part of one by the energy drawn before the cut. */
function cutter(
  deps: ApiDeps,
  meters: readonly CatalogMeter[],
  booked: readonly MarketDay[],
  buckets: readonly Bucket[],
): Pick<MarketBooks, "parts" | "partsOfAll"> {
  const byMeter = new Map<string, MarketDay[]>();
  for (const one of booked) {
    const held = byMeter.get(one.day.meter);
    if (held === undefined) byMeter.set(one.day.meter, [one]);
    else held.push(one);
  }
  const ids = new Set(meters.map(({ id }) => id));
  const drawnBefore = energyWithinDays(deps, meters, booked, buckets);
  const shareAt = ({ day }: MarketDay, at_ms: EpochMs): Fraction => {
    const { from_ms, to_ms } = day.span;
    if (at_ms <= from_ms) return ZERO;
    if (at_ms >= to_ms) return ONE;
    if (day.isSold) return fraction(BigInt(at_ms - from_ms), BigInt(to_ms - from_ms));
    return day.MWh.n === 0n ? ZERO : over(drawnBefore(day.meter, from_ms, at_ms), day.MWh);
  };
  const partsIn = (meter: string, bucket: Bucket): readonly MarketPart[] =>
    joinParts(
      within(byMeter.get(meter) ?? [], bucket).flatMap((one) => {
        const isWhole = bucket.from_ms <= one.day.span.from_ms && one.day.span.to_ms <= bucket.to_ms;
        return isWhole ? one.parts : cutDay(one.parts, shareAt(one, bucket.from_ms), shareAt(one, bucket.to_ms));
      }),
    );
  const whole = { from_ms: buckets[0]!.from_ms, to_ms: buckets.at(-1)!.to_ms };
  return {
    parts: (meter, at) => (ids.has(meter) ? partsIn(meter, buckets[at]!) : null),
    partsOfAll: (meter) => (ids.has(meter) ? partsIn(meter, whole) : null),
  };
}

/** Days that overlap the bucket; the days ascend. */
function within(days: readonly MarketDay[], { from_ms, to_ms }: Bucket): readonly MarketDay[] {
  let [low, high] = [0, days.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (days[middle]!.day.span.to_ms <= from_ms) low = middle + 1;
    else high = middle;
  }
  let end = low;
  while (end < days.length && days[end]!.day.span.from_ms < to_ms) end += 1;
  return days.slice(low, end);
}

/** MWh a meter drew from the start of a local day to a bucket's edge inside it. */
function energyWithinDays(
  deps: ApiDeps,
  meters: readonly CatalogMeter[],
  booked: readonly MarketDay[],
  buckets: readonly Bucket[],
): (meter: string, dayFrom_ms: EpochMs, at_ms: EpochMs) => Fraction {
  const edges = [buckets[0]!.from_ms, ...buckets.map(({ to_ms }) => to_ms)];
  const cutDays = new Map<EpochMs, EpochMs[]>();
  const starts = [...new Map(booked.map(({ day }) => [day.span.from_ms, day.span])).values()].sort(
    (a, b) => a.from_ms - b.from_ms,
  );
  let next = 0;
  for (const { from_ms, to_ms } of starts) {
    while (next < edges.length && edges[next]! <= from_ms) next += 1;
    const inside: EpochMs[] = [];
    for (; next < edges.length && edges[next]! < to_ms; next++) inside.push(edges[next]!);
    if (inside.length > 0) cutDays.set(from_ms, inside);
  }
  const pieces = [...cutDays].flatMap(([from_ms, inside]) =>
    inside.map((to_ms, at) => ({ from_ms: at === 0 ? from_ms : inside[at - 1]!, to_ms })),
  );
  const energy = pieces.length === 0 ? new Map<string, Fraction>() : energyByBucket(deps, meters, pieces);
  const before = new Map<string, Fraction>();
  for (const { id } of meters) {
    let [dayDrawn, day] = [ZERO, -1];
    for (const [at, piece] of pieces.entries()) {
      if (cutDays.has(piece.from_ms)) [dayDrawn, day] = [ZERO, piece.from_ms];
      dayDrawn = plus(dayDrawn, energy.get(`${id} ${at}`) ?? ZERO);
      before.set(`${id} ${day} ${piece.to_ms}`, dayDrawn);
    }
  }
  return (meter, dayFrom_ms, at_ms) => before.get(`${meter} ${dayFrom_ms} ${at_ms}`) ?? ZERO;
}

function usage(booked: readonly MarketDay[]): ReadonlyMap<string, Fraction> {
  const used = new Map<string, Fraction>();
  for (const { source, MWh } of booked.flatMap(({ parts }) => parts)) {
    if (source.kind !== "instrument") continue;
    used.set(source.instrument.id, plus(used.get(source.instrument.id) ?? ZERO, MWh));
  }
  return used;
}

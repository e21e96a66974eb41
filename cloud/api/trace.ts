import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { z } from "zod";
import { basisPerUnit, propertiesOf } from "../../core/emission/basis.ts";
import { CARRIERS } from "../../core/emission/carriers.ts";
import {
  add,
  type Decimal,
  formatDecimal,
  integer,
  multiply,
  parseDecimal,
  toNumber,
} from "../../core/emission/decimal.ts";
import type { EmissionFactor, GwpSet } from "../../core/emission/factor.ts";
import { fractionText } from "../../core/emission/fraction.ts";
import { type Bucket, buckets } from "../../core/interval/calendar.ts";
import type { Boundary, CounterWords } from "../../core/interval/interval.ts";
import type { EpochMs } from "../../core/reading/reading.ts";
import { QUANTITIES, type QuantityId } from "../../core/units/quantities.ts";
import { UNITS } from "../../core/units/units.ts";
import type {
  EarlierInterval,
  EmissionSum,
  EmissionVersion,
  StoredEmission,
  StoredInterval,
  StoredSubstitution,
} from "../store/store.ts";
import { SUBSTITUTED_EPOCH } from "../store/substitutions.ts";
import { type CatalogMeter, emitting } from "./catalogue.ts";
import type { ApiDeps } from "./deps.ts";
import {
  addMasses,
  type Basis,
  CO2E_UNIT,
  co2e_kg,
  countedMeters,
  emissionParts,
  emissionTally,
  emittingMeters,
  gasMasses,
  gwpSetOf,
  marketParts,
  massesIn,
  readBooks,
} from "./emissions.ts";
import { amountIn, energyTally } from "./energy.ts";
import { factorKey, factorsUsed, findFactor } from "./factorUse.ts";
import { noFigure, parseFigureId, type Question } from "./figureId.ts";
import { readMarket } from "./market.ts";
import { marketFormulas } from "./marketTrace.ts";
import { marketUse } from "./marketUse.ts";
import { notFound } from "./problem.ts";
import { placeOf } from "./query.ts";
import { Trace, type TraceBoundary, type TraceInterval } from "./schemas.ts";
import { measureOf, sumTallies } from "./tally.ts";
import { isoIn } from "./time.ts";
import { tonnes } from "./tonnes.ts";

type TraceActivity = Trace["activities"][number];

/** Intervals per meter in one answer, newest first; `offset` pages on to the older ones. */
export const INTERVALS_MAX = 200;
/** A century of quarters of an hour. */
const OFFSET_MAX = 4_000_000;
/** Entries of one interval: one a gas. */
const ENTRIES_PER_INTERVAL = 4;

/** A question with its meters: what the trace is made of. `knownAt_ms` null = as known now. */
interface Asked {
  readonly id: string;
  readonly period: Bucket;
  readonly meters: readonly CatalogMeter[];
  readonly gwp: GwpSet;
  readonly knownAt_ms: number | null;
  readonly basis: Basis;
  /** How many of the newest intervals of each meter to pass over. */
  readonly offset: number;
}

export function traceRoutes(app: FastifyInstance, deps: ApiDeps): void {
  app.withTypeProvider<ZodTypeProvider>().get(
    "/api/v1/emissions/:id/trace",
    {
      schema: {
        tags: ["figures"],
        summary: "Why this number: formula, activities, intervals, factors, register words",
        description:
          "`id` comes from an answer of /emissions, or is `e<number>`, one book entry. Each activity holds the newest " +
          `${INTERVALS_MAX} of its \`intervals_total\` intervals; \`next_offset\` tells where the older ones begin. With ` +
          "`meter` the answer is that meter's part of the figure: sum, formulas and intervals are its own.",
        params: z.object({ id: z.string() }),
        querystring: z.strictObject({
          meter: z.string().max(200).optional().describe("one of the answer's activities, <gateway>/<device>"),
          offset: z.coerce.number().int().min(0).max(OFFSET_MAX).default(0).describe("intervals to pass over"),
        }),
        response: { 200: Trace },
      },
    },
    async ({ params, query }) => {
      const figure = parseFigureId(params.id);
      const asked =
        figure.kind === "question"
          ? askedOf(deps, params.id, figure.question)
          : askedOfEntry(deps, params.id, figure.entry);
      const meters = query.meter === undefined ? asked.meters : asked.meters.filter(({ id }) => id === query.meter);
      if (query.meter !== undefined && meters.length === 0) {
        throw notFound(`the meter ${query.meter} has no part in this figure`, "Take it from the trace's activities.");
      }
      return trace(deps, { ...asked, meters, offset: query.offset });
    },
  );
}

function askedOf(deps: ApiDeps, id: string, question: Question): Omit<Asked, "offset"> {
  const place = placeOf(deps, question.site === null ? {} : { site: question.site });
  const all = emittingMeters(place.meters);
  const counted = countedMeters(deps, place, all);
  const { part } = question;
  const meters =
    part === null
      ? counted
      : emissionParts(part.by, part.by === "site" ? all : counted, place.sites).find((one) => one.key === part.key)
          ?.meters;
  if (meters === undefined) throw noFigure();
  const { from_ms, to_ms, knownAt_ms, basis } = question;
  return { id, period: { from_ms, to_ms }, meters, gwp: gwpSetOf(deps, question.gwp), knownAt_ms, basis };
}

/** The interval of one entry. A superseded entry is traced as the books stood while it was in force. */
function askedOfEntry(deps: ApiDeps, id: string, entryId: number): Omit<Asked, "offset"> {
  const entry = deps.store.emission(entryId);
  const meter = placeOf(deps, {}).meters.find(
    ({ key }) => key.edge === entry?.gateway.edge && key.device === entry.device,
  );
  if (entry === null || meter === undefined) throw noFigure();
  return {
    id,
    period: { from_ms: entry.from_ms, to_ms: entry.to_ms },
    meters: [meter],
    gwp: gwpSetOf(deps, "AR5"),
    knownAt_ms: entry.supersededBy === null ? null : entry.knownFrom_ms,
    basis: "location",
  };
}

function trace(deps: ApiDeps, asked: Asked): Trace {
  const { time_zone } = deps.zone;
  const { period, meters, gwp } = asked;
  const pieces = splitAtFactors(period, deps.factors);
  const isMarket = asked.basis === "market";
  const location = readBooks(deps, meters, pieces, gwp, asked.knownAt_ms);
  const market = isMarket ? readMarket(deps, meters, pieces, asked.knownAt_ms) : null;
  const books = { ...location, market };
  const total = sumTallies(
    meters.flatMap((meter) => pieces.map((piece, at) => emissionTally(books, meter, at, piece))),
  );
  const activities = meters.map((meter): TraceActivity => {
    const quantity = emitting(meter)!;
    const tally = sumTallies(
      pieces.map((piece, at) => energyTally(books.energy, meter, quantity, at, piece, books.expected.get(meter.id)!)),
    );
    const sums = sumsOf(books.sums, meter);
    const masses = addMasses(pieces.map((_, at) => massesIn(books, meter, at)));
    const page = pageOf(deps, meter, quantity, period, asked.offset);
    return {
      meter: meter.id,
      name: meter.name,
      site: deps.sites.find(({ id }) => id === meter.site)?.name ?? null,
      model: meter.row.model,
      register: registerOf(deps, meter, quantity, period.to_ms),
      carrier: meter.row.carrier,
      scope: CARRIERS[meter.row.carrier].scope ?? 0,
      quantity,
      activity: measureOf(tally, UNITS[QUANTITIES[quantity].unit].ucum),
      co2e_kg: toNumber(co2e_kg(masses, gwp)),
      gases_mg: Object.fromEntries(Object.entries(masses).map(([gas, mg]) => [gas, String(mg)])),
      factors: [...new Set(sums.map(factorKey))],
      intervals_total: page.total,
      next_offset: page.next,
      intervals: page.end_ms === null ? [] : [...traceIntervals(deps, meter, quantity, period, page.end_ms, page.skip)],
    };
  });
  return {
    id: asked.id,
    from: isoIn(time_zone, period.from_ms),
    to: isoIn(time_zone, period.to_ms),
    time_zone,
    gwp: gwp.id,
    basis: asked.basis,
    market: isMarket ? marketUse(deps, market, sitesOf(meters), meters, pieces, asked.knownAt_ms) : null,
    value_kg: measureOf(total, CO2E_UNIT).value,
    formulas: [...formulas(deps, asked, pieces, books), ...marketFormulas(deps.factors, meters, pieces, books)],
    activities,
    factors: [...factorsUsed(books.sums, deps.factors, time_zone)],
  };
}

function sitesOf(meters: readonly CatalogMeter[]): readonly string[] {
  return [...new Set(meters.flatMap(({ site }) => site ?? []))];
}

function sumsOf(sums: readonly EmissionSum[], meter: CatalogMeter): readonly EmissionSum[] {
  return sums.filter((sum) => sum.gateway.edge === meter.key.edge && sum.device === meter.key.device);
}

/** The period cut where a factor begins or ends to apply: within a piece, a carrier has one factor. */
export function splitAtFactors(period: Bucket, factors: readonly EmissionFactor[]): readonly Bucket[] {
  const inside = factors
    .flatMap((factor) => [factor.valid_from_ms, factor.valid_to_ms ?? period.from_ms])
    .filter((at_ms) => at_ms > period.from_ms && at_ms < period.to_ms);
  const edges = [period.from_ms, ...[...new Set(inside)].sort((a, b) => a - b), period.to_ms];
  return edges.slice(1).map((to_ms, at) => ({ from_ms: edges[at]!, to_ms }));
}

interface Term {
  readonly scope: 1 | 2;
  readonly quantity: QuantityId;
  readonly factor: EmissionFactor | null;
  readonly factorKey: string;
  readonly ncv: string | null;
  activity: Decimal;
  sums: EmissionSum[];
}

/** One line per scope and factor: the activity that met this factor, and what came of it. */
function formulas(
  deps: ApiDeps,
  { meters, gwp }: Asked,
  pieces: readonly Bucket[],
  books: ReturnType<typeof readBooks>,
): readonly Trace["formulas"][number][] {
  const terms = new Map<string, Term>();
  for (const meter of meters) {
    const quantity = emitting(meter)!;
    for (const [at, piece] of pieces.entries()) {
      const sums = books.emissions.get(meter.id)?.get(at) ?? [];
      const [first] = sums;
      if (first === undefined || marketParts(books, meter, at) !== null) continue;
      const factor = findFactor(deps.factors, first);
      const ncv = factor?.basis === "fuel_MJ" ? ncvOf(deps, meter, piece) : null;
      const key = `${first.scope} ${factorKey(first)} ${ncv}`;
      let term = terms.get(key);
      if (term === undefined) {
        term = {
          scope: first.scope,
          quantity,
          factor,
          factorKey: factorKey(first),
          ncv,
          activity: integer(0n),
          sums: [],
        };
        terms.set(key, term);
      }
      const rows = books.energy.get(`${meter.id} ${quantity}`)?.get(at) ?? [];
      for (const row of rows)
        term.activity = add(term.activity, amountIn(QUANTITIES[quantity].unit, row.ticks, row.tick));
      term.sums.push(...sums);
    }
  }
  return [...terms.values()]
    .sort((a, b) => a.scope - b.scope)
    .map((term) => ({ scope: term.scope, text: formulaText(term, gwp) }));
}

/**
 * Numbers in plain decimal with a point, so that they can be typed into a calculator: the activity to the tick, the tonnes
 * to the kilogram (to the gram below 0.1 t). The books round each interval to the milligram, so the exact sum may differ from
 * the product in the digits that are not shown.
 */
export function formulaText(term: Omit<Term, "scope">, gwp: GwpSet): string {
  const result = `${tonnes(co2e_kg(gasMasses(term.sums), gwp))} t CO2e`;
  const { factor, activity } = term;
  const isMixed = new Set(term.sums.map(factorKey)).size > 1;
  if (factor === null || isMixed)
    return `Σ book entries (${[...new Set(term.sums.map(factorKey))].join(", ")}) = ${result}`;
  const weights = (["co2", "ch4", "n2o"] as const).flatMap((gas) => {
    const mg = factor.mg_per_basis[gas];
    return mg === undefined ? [] : [{ gas, mg, gwp: gwp.gwp[gas] }];
  });
  if (factor.basis === "energy_Wh") {
    // mg/Wh = kg/MWh: a thousandth of it is t/MWh.
    const sum = weights
      .map(({ mg, gwp: potential }) => {
        const t_per_MWh = formatDecimal(multiply(parseDecimal(mg), parseDecimal("0.001")));
        return potential === "1" ? t_per_MWh : `${t_per_MWh} × ${potential}`;
      })
      .join(" + ");
    const factorText =
      weights.length === 1 && factor.stated.unit === "tCO2/MWh" ? `${sum} tCO2/MWh` : `(${sum}) t CO2e/MWh`;
    return `${formatDecimal(multiply(activity, parseDecimal("0.001")))} MWh × ${factorText} = ${result}`;
  }
  // mg/MJ = kg/TJ.
  const sum = weights.map(({ mg, gwp: potential }) => (potential === "1" ? mg : `${mg} × ${potential}`)).join(" + ");
  const unit = UNITS[QUANTITIES[term.quantity].unit].notation;
  return `${formatDecimal(activity)} ${unit} × ${term.ncv ?? energyText(factor, term.quantity)} MJ/${unit} ÷ 1000000 × (${sum}) kg CO2e/TJ ÷ 1000 = ${result}`;
}

/** MJ of one unit by the calorific value and density that the factor itself brings. */
function energyText(factor: EmissionFactor, quantity: QuantityId): string {
  const perUnit = basisPerUnit(factor.basis, QUANTITIES[quantity].unit, factor.carrier, propertiesOf(factor));
  return perUnit.kind === "amount" ? fractionText(perUnit.perUnit) : "?";
}

function ncvOf(deps: ApiDeps, meter: CatalogMeter, piece: Bucket): string | null {
  const [entry] = deps.store.emissions(meter.key, meter.key.device, piece.from_ms, piece.to_ms, 1, "newest");
  return entry?.ncv_MJ_per_Nm3 ?? null;
}

/** The register of the counter as the newest birth before the end of the period announced it. */
function registerOf(deps: ApiDeps, meter: CatalogMeter, quantity: QuantityId, to_ms: number): string | null {
  const batch = deps.store.batchAtOrBefore(meter.key, meter.key.device, to_ms);
  const birth = batch === null ? null : deps.store.birth(batch.birthId);
  const wire = QUANTITIES[quantity].wire;
  return birth?.metrics.find((metric) => metric.name === wire)?.properties.register ?? null;
}

/** Where a page of intervals begins. */
interface TracePage {
  readonly total: number;
  /** Offset of the page after it; null = this is the last. */
  readonly next: number | null;
  /** The page begins this many intervals before `end_ms`; null = it is empty. */
  readonly end_ms: EpochMs | null;
  readonly skip: number;
}

/** Longer periods, which hold next to nothing, are counted by year. */
const DAYS_MAX = 10_000;

/** Counts by day, so that a far page reads its own intervals and those of one day, not all the newer ones. */
function pageOf(deps: ApiDeps, meter: CatalogMeter, quantity: QuantityId, period: Bucket, offset: number): TracePage {
  const isLong = period.to_ms - period.from_ms > DAYS_MAX * 86_400_000;
  const days = buckets(period.from_ms, period.to_ms, isLong ? "year" : "day", deps.zone.time_zone);
  const rows = new Map<number, number>();
  for (const sum of deps.store.sumEnergy([meter.key], days, [quantity])) {
    rows.set(sum.bucket, (rows.get(sum.bucket) ?? 0) + sum.rows);
  }
  const total = [...rows.values()].reduce((all, count) => all + count, 0);
  const next = offset + INTERVALS_MAX < total ? offset + INTERVALS_MAX : null;
  let skip = offset;
  for (let at = days.length - 1; at >= 0; at--) {
    const count = rows.get(at) ?? 0;
    if (skip < count) return { total, next, end_ms: days[at]!.to_ms, skip };
    skip -= count;
  }
  return { total, next, end_ms: null, skip: 0 };
}

function traceIntervals(
  deps: ApiDeps,
  meter: CatalogMeter,
  quantity: QuantityId,
  period: Bucket,
  end_ms: EpochMs,
  skip: number,
): readonly TraceInterval[] {
  const { key } = meter;
  const intervals = deps.store
    .intervals(key, key.device, quantity, period.from_ms, end_ms, skip + INTERVALS_MAX, "newest")
    .slice(skip);
  const newest_ms = intervals[0]?.to_ms ?? end_ms;
  const oldest_ms = intervals.at(-1)?.from_ms ?? end_ms;
  const entries = new Map<number, StoredEmission[]>();
  for (const entry of deps.store.emissions(
    key,
    key.device,
    oldest_ms,
    newest_ms,
    INTERVALS_MAX * ENTRIES_PER_INTERVAL,
    "newest",
  )) {
    const held = entries.get(entry.from_ms);
    if (held === undefined) entries.set(entry.from_ms, [entry]);
    else held.push(entry);
  }
  return intervals.map((interval) =>
    traceInterval(
      interval,
      (entries.get(interval.from_ms) ?? []).map((entry) => ({ entry, earlier: earlierOf(deps, entry) })),
      interval.epoch === SUBSTITUTED_EPOCH ? deps.store.substitution(interval.batch) : null,
      interval.verification === "recomputed" ? gatewaySaid(deps, interval) : null,
      deps.zone.time_zone,
    ),
  );
}

/** What the gateway had booked in the batch that a recomputed figure names. */
function gatewaySaid(deps: ApiDeps, { gateway, device, quantity, from_ms, epoch, batch }: StoredInterval) {
  const earlier = deps.store.earlierIntervals(gateway, device, quantity, from_ms);
  return earlier.findLast((one) => one.epoch === epoch && one.batch === batch) ?? null;
}

/** An entry with the versions whose place it took, oldest first. */
export interface TracedEntry {
  readonly entry: StoredEmission;
  readonly earlier: readonly EmissionVersion[];
}

/** Each earlier version with the reason that the next one gives for taking its place. */
function earlierOf(deps: ApiDeps, entry: StoredEmission): readonly EmissionVersion[] {
  if (entry.version === 1) return [];
  const versions = deps.store.emissionVersions(entry.id).filter((one) => one.entry.version <= entry.version);
  return versions.slice(0, -1).map((one, at) => ({ entry: one.entry, reason: versions[at + 1]!.reason }));
}

export function traceInterval(
  interval: StoredInterval,
  entries: readonly TracedEntry[],
  fill: StoredSubstitution | null,
  said: EarlierInterval | null,
  timeZone: string,
): TraceInterval {
  const { unit } = QUANTITIES[interval.quantity];
  const valueIn = ({ ticks, tick }: StoredInterval) => (ticks === null ? null : toNumber(amountIn(unit, ticks, tick)));
  return {
    from: isoIn(timeZone, interval.from_ms),
    to: isoIn(timeZone, interval.to_ms),
    quantity: interval.quantity,
    ticks: interval.ticks === null ? null : String(interval.ticks),
    tick: `${interval.tick.amount} ${UNITS[interval.tick.unit].ucum}`,
    value: valueIn(interval),
    unit: UNITS[unit].ucum,
    flag: interval.flag,
    coverage_pct: Math.floor(interval.coverage * 1e6) / 1e4,
    polls_expected: interval.pollsExpected,
    polls_answered: interval.pollsAnswered,
    cause: interval.cause,
    verification: interval.verification,
    opening: boundary(interval.opening, timeZone),
    closing: boundary(interval.closing, timeZone),
    batch: { gateway: interval.gateway.edge, epoch: interval.epoch, number: interval.batch },
    substitution:
      fill === null
        ? null
        : {
            name: fill.name,
            rule: fill.rule,
            author: fill.author,
            inputs: fill.inputs,
            known_from: isoIn(timeZone, fill.knownFrom_ms),
          },
    gateway_said:
      said === null
        ? null
        : {
            ticks: said.ticks === null ? null : String(said.ticks),
            value: valueIn(said),
            flag: said.flag,
            until: isoIn(timeZone, said.superseded_ms),
          },
    entries: entries.map(({ entry, earlier }) => ({
      id: `e${entry.id}`,
      gas: entry.gas,
      mg: String(entry.mg),
      factor: factorKey(entry),
      match: entry.match,
      earlier: earlier.map(({ entry: version, reason }) => ({
        id: `e${version.id}`,
        mg: String(version.mg),
        factor: factorKey(version),
        match: version.match,
        known_from: isoIn(timeZone, version.knownFrom_ms),
        superseded_because: reason ?? "interval-corrected",
      })),
    })),
  };
}

function boundary(value: Boundary | null, timeZone: string): z.infer<typeof TraceBoundary> | null {
  if (value === null) return null;
  const { count, words, across } = value;
  return { count: String(count), words: wordsAt(words, timeZone), across: wordsAt(across, timeZone) };
}

function wordsAt(words: CounterWords | null, timeZone: string): z.infer<typeof TraceBoundary>["words"] {
  return words === null
    ? null
    : { fc: words.fc, address: words.address, hex: words.hex, at: isoIn(timeZone, words.at_ms) };
}

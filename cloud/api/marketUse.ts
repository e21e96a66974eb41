import type { Span } from "../../core/accounting/activity.ts";
import { failedCriteria, NO_RESIDUAL_MIX } from "../../core/accounting/market.ts";
import { energyOf, joinParts, type MarketPart } from "../../core/accounting/marketBook.ts";
import { type Fraction, fractionNumber, minus, plus, sum, ZERO } from "../../core/emission/fraction.ts";
import type { Bucket } from "../../core/interval/calendar.ts";
import type { EpochMs } from "../../core/reading/reading.ts";
import type { CatalogMeter } from "./catalogue.ts";
import type { ApiDeps } from "./deps.ts";
import { energyByBucket, isGrid, knownThen, type MarketBooks, type MarketFile, NO_INSTRUMENTS } from "./market.ts";
import type { MarketUse } from "./schemas.ts";
import { localDateOf } from "./time.ts";

/** All parts of these meters in the period of the question. */
export function partsOf(books: MarketBooks | null, meters: readonly CatalogMeter[]): readonly MarketPart[] {
  return books === null ? [] : joinParts(meters.flatMap(({ id }) => books.partsOfAll(id) ?? []));
}

/** What the market-based figure of a period rests on, for the answer. */
export function marketUse(
  deps: ApiDeps,
  books: MarketBooks | null,
  sites: readonly string[],
  meters: readonly CatalogMeter[],
  buckets: readonly Bucket[],
  knownAt_ms: EpochMs | null,
): MarketUse {
  const file = deps.market ?? NO_INSTRUMENTS;
  const { time_zone } = deps.zone;
  const [from_ms, to_ms] = [buckets[0]!.from_ms, buckets.at(-1)!.to_ms];
  const touches = ({ site, span }: { readonly site: string; readonly span: Span }): boolean =>
    sites.includes(site) && span.from_ms < to_ms && span.to_ms > from_ms;
  const parts = partsOf(books, meters);
  const usedIn = (id: string): Fraction =>
    sum(parts.flatMap(({ source, MWh }) => (source.kind === "instrument" && source.instrument.id === id ? [MWh] : [])));
  const dates = ({ span }: { readonly span: Span }) => ({
    from: localDateOf(time_zone, span.from_ms),
    to: localDateOf(time_zone, span.to_ms),
  });
  const drawn = sum([...energyByBucket(deps, meters.filter(isGrid), buckets).values()]);
  const consumed = plus(drawn, energyOf(parts.filter(({ isSold }) => isSold)));
  const covered = energyOf(parts.filter(({ source }) => source.kind === "instrument"));
  const instruments = knownThen(file.instruments, knownAt_ms).filter(touches);
  return {
    statement: statementOf(file, instruments.length),
    residual: file.residualMix === null ? "grid average" : "residual mix",
    consumption_MWh: fractionNumber(consumed),
    covered_MWh: fractionNumber(covered),
    uncovered_MWh: fractionNumber(minus(consumed, covered)),
    instruments: instruments.map((one) => {
      const fails = failedCriteria(one, one.span);
      const used = books?.usedUntil.get(one.id) ?? ZERO;
      return {
        id: one.id,
        kind: one.kind,
        site: one.site,
        quantity_MWh: fractionNumber(one.MWh),
        rate_t_per_MWh: fractionNumber(one.t_per_MWh),
        ...dates(one),
        document: one.source,
        criteria: {
          conveys_rate: one.criteria.conveysRate,
          sole_claim: one.criteria.soleClaim,
          retired: one.criteria.retired,
          vintage: one.criteria.vintage,
          market: one.criteria.market,
        },
        fails: [...fails],
        used_MWh: fractionNumber(usedIn(one.id)),
        left_MWh: fails.length > 0 ? 0 : fractionNumber(minus(one.MWh, used)),
      };
    }),
    certificates_sold: knownThen(file.certificatesSold, knownAt_ms)
      .filter(touches)
      .map((one) => ({
        site: one.site,
        quantity_MWh: fractionNumber(one.MWh),
        ...dates(one),
        document: one.source,
      })),
  };
}

function statementOf({ residualMix }: MarketFile, instruments: number): string {
  const rest = residualMix === null ? NO_RESIDUAL_MIX : `residual mix: ${residualMix.source}`;
  return instruments > 0
    ? rest
    : `no contractual instruments are recorded for this period: before certificates sold and a residual mix the ` +
        `market-based figure equals the location-based one; ${rest}`;
}

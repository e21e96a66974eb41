import type { FullGwpSet } from "../emission/factor.ts";
import { compare, type Fraction, fraction, fromText, minus, plus, sum, times, ZERO } from "../emission/fraction.ts";
import { lookupConstant } from "../emission/lookup.ts";
import { KhuXanhError } from "../errors.ts";
import type { Activity, Book } from "./activity.ts";
import { calculate } from "./calculate.ts";
import { addMasses, co2eOf, type Masses } from "./co2e.ts";
import { inMWh } from "./electricity.ts";
import { assertRateNotRefused } from "./factors.ts";
import { type Consumption, type Instrument, type MarketResult, marketBased } from "./market.ts";
import { refuse } from "./refuse.ts";
import type { ActivityResult } from "./result.ts";
import { type SiteBalance, siteBalance } from "./site.ts";
import { combine, type UncertaintySum, uncertainSource } from "./uncertainty.ts";
import { NO_SHARE, rollUp, type SiteShare, type ZoneResult } from "./zone.ts";

/** A set of activities accounted together, under one GWP set. */
export interface Account {
  readonly results: readonly ActivityResult[];
  readonly totals: Totals;
  readonly market: MarketResult | null;
  readonly sites: readonly SiteBalance[];
  readonly zone: ZoneResult | null;
  readonly uncertainty: UncertaintySum;
  readonly gwp: FullGwpSet;
}

/** CO2e in mg, exact; masses are whole. */
export interface Totals {
  readonly scope1_mg: Fraction;
  readonly scope2Location_mg: Fraction;
  readonly scope2Market_mg: Fraction;
  readonly scope3_3_mg: Fraction | null;
  readonly biogenicCo2_mg: bigint;
  readonly masses: Masses;
  readonly energy_TJ: Fraction;
  readonly biomass_TJ: Fraction;
  readonly toe: Fraction;
  /** At or above the limit of a designated energy user in industry; null where the activities do not span one year. */
  readonly isDesignatedEnergyUser: boolean | null;
}

export interface AccountRequest {
  readonly activities: readonly Activity[];
  readonly gwp: FullGwpSet;
  readonly instruments: readonly Instrument[];
  readonly residualMix: { readonly t_per_MWh: Fraction; readonly source: string } | null;
  readonly zone: ZoneRequest | null;
}

export interface ZoneRequest {
  /** Every factory of the zone; those that neither have activities nor state totals are uncovered. */
  readonly sites: readonly {
    readonly id: string;
    readonly stated: { readonly scope1_mg: Fraction; readonly scope2_mg: Fraction } | null;
  }[];
}

/** What could not be accounted: activity by activity, so that a file's author sees all mistakes at once. */
export interface AccountProblem {
  /** Place in the list of activities; null = not of one activity. */
  readonly at: number | null;
  readonly key: string;
  readonly error: KhuXanhError;
}

export type AccountOutcome =
  | { readonly kind: "account"; readonly account: Account }
  | { readonly kind: "problems"; readonly problems: readonly AccountProblem[] };

export function account(request: AccountRequest, book: Book): AccountOutcome {
  const problems: AccountProblem[] = [];
  const collect = <T>(at: number | null, run: () => T): T | null => {
    try {
      return run();
    } catch (error) {
      if (!(error instanceof KhuXanhError)) throw error;
      problems.push({ at, key: String(error.context.key ?? ""), error });
      return null;
    }
  };
  const results = request.activities.flatMap((activity, at): readonly ActivityResult[] => {
    const result = collect(at, () => {
      const made = calculate(activity, book);
      // A gas without a warming potential under this set is a mistake of the activity, not of the total.
      co2eOf(made.mg, request.gwp, book.refrigerants);
      return made;
    });
    return result === null ? [] : [result];
  });
  for (const [at, activity] of request.activities.entries())
    collect(at, () => assertOneMethod(activity, request.activities));
  for (const { id, t_per_MWh } of request.instruments) {
    collect(null, () => assertRateNotRefused(t_per_MWh, `instruments "${id}".factor`, book));
  }
  const { residualMix } = request;
  if (residualMix !== null) collect(null, () => assertRateNotRefused(residualMix.t_per_MWh, "residual_mix", book));
  if (problems.length > 0) return { kind: "problems", problems };
  const made = collect(null, () => totalled(results, request, book));
  return made === null ? { kind: "problems", problems } : { kind: "account", account: made };
}

/** One method per equipment group and year (TT38): both for one refrigerant of one site would count it twice. */
function assertOneMethod(activity: Activity, all: readonly Activity[]): void {
  if (activity.mix === null || activity.use !== "life_cycle") return;
  const twin = all.find(
    (other) =>
      other.use === "top_up" &&
      other.mix?.name === activity.mix?.name &&
      other.site === activity.site &&
      other.period.from_ms < activity.period.to_ms &&
      activity.period.from_ms < other.period.to_ms,
  );
  if (twin !== undefined)
    refuse(
      "life_cycle",
      `${activity.mix.name} is already accounted by top-up in "${twin.id}": one method per equipment group and year`,
    );
}

function totalled(results: readonly ActivityResult[], request: AccountRequest, book: Book): Account {
  const { gwp } = request;
  const co2e = ({ mg }: ActivityResult): Fraction => co2eOf(mg, gwp, book.refrigerants);
  const scope = (which: 1 | 2): readonly ActivityResult[] => results.filter((result) => result.scope === which);
  const scope1_mg = sum(scope(1).map(co2e));
  const scope2Location_mg = sum(scope(2).map(co2e));
  const consumed = consumptions(results);
  const hasMarket = consumed.length > 0 || request.instruments.length > 0;
  const market = hasMarket
    ? marketBased([...consumed, ...soldCertificates(results, book)], request.instruments, request.residualMix)
    : null;
  const otherScope2_mg = sum(
    scope(2)
      .filter((result) => !isFromGrid(result))
      .map(co2e),
  );
  const sites = [...new Set(results.map(({ activity }) => activity.site))];
  const lost = results.flatMap(({ losses }) => (losses === null ? [] : [co2eOf(losses.mg, gwp, book.refrigerants)]));
  const masses = addMasses(results.map(({ mg }) => mg));
  const toe = sum(results.map((result) => result.toe?.value ?? ZERO));
  return {
    results,
    totals: {
      scope1_mg,
      scope2Location_mg,
      scope2Market_mg: plus(otherScope2_mg, market === null ? ZERO : fraction(market.mg)),
      scope3_3_mg: lost.length === 0 ? null : sum(lost),
      biogenicCo2_mg: masses.co2_biogenic ?? 0n,
      masses,
      energy_TJ: sum(burnt(results).map(({ energy_TJ }) => energy_TJ ?? ZERO)),
      biomass_TJ: sum(burnt(results).map((result) => biogenicPart(result))),
      toe,
      isDesignatedEnergyUser: isDesignated(toe, results, book),
    },
    market,
    sites: sites.flatMap((site) => siteBalance(site, results, gwp, book.refrigerants) ?? []),
    zone:
      request.zone === null
        ? null
        : rollUp(
            shares(results, request.zone, co2e),
            request.zone.sites.map(({ id }) => id),
          ),
    uncertainty: combine(
      results
        .filter((result) => result.scope !== null)
        .map((result) => uncertainSource(result, gwp, book.refrigerants)),
    ),
    gwp,
  };
}

const DAY_MS = 86_400_000;

/** Law 50/2010/QH12: toe of a year against the limit for industry. */
function isDesignated(toe: Fraction, results: readonly ActivityResult[], book: Book): boolean | null {
  const from_ms = Math.min(...results.map(({ activity }) => activity.period.from_ms));
  const to_ms = Math.max(...results.map(({ activity }) => activity.period.to_ms));
  const days = (to_ms - from_ms) / DAY_MS;
  const limit = lookupConstant(book.constants, "threshold.energy.industry", from_ms, book.knownAt_ms);
  return days < 365 || days > 366 || limit?.value == null ? null : compare(toe, fromText(limit.value)) >= 0;
}

function burnt(results: readonly ActivityResult[]): readonly ActivityResult[] {
  return results.filter(({ scope, energy_TJ }) => scope === 1 && energy_TJ !== null);
}

function biogenicPart({ mg, energy_TJ }: ActivityResult): Fraction {
  const fossil = mg.co2 ?? 0n;
  const biogenic = mg.co2_biogenic ?? 0n;
  if (energy_TJ === null || fossil + biogenic === 0n) return ZERO;
  return fossil === 0n ? energy_TJ : times(energy_TJ, fraction(biogenic, fossil + biogenic));
}

/** What instruments may cover; electricity bought directly has its seller's factor in both figures. */
function isFromGrid({ activity }: ActivityResult): boolean {
  return activity.carrier === "electricity" && activity.use === "import";
}

function consumptions(results: readonly ActivityResult[]): readonly Consumption[] {
  return results.filter(isFromGrid).flatMap(({ activity, parts, amount }) =>
    parts.map((part) => ({
      span: part.span,
      site: activity.site,
      MWh: inMWh(activity, part.amount, amount.unit),
      location_mg: fraction(part.mg.co2 ?? 0n),
    })),
  );
}

/** Solar whose certificates were sold is grid electricity in the market-based figure, at the grid's factor of its time. */
function soldCertificates(results: readonly ActivityResult[], book: Book): readonly Consumption[] {
  return results.flatMap(({ activity }): readonly Consumption[] => {
    const sold = activity.certificatesSold_MWh;
    if (sold === null || compare(sold, ZERO) === 0) return [];
    const bought = calculate(
      {
        ...activity,
        carrier: "electricity",
        use: "import",
        amount: { kind: "quantity", value: sold, unit: "MWh" },
        factor: null,
        losses: null,
        certificatesSold_MWh: null,
      },
      book,
    );
    return [{ span: activity.period, site: activity.site, MWh: sold, location_mg: fraction(bought.mg.co2 ?? 0n) }];
  });
}

function shares(
  results: readonly ActivityResult[],
  zone: ZoneRequest,
  co2e: (result: ActivityResult) => Fraction,
): readonly SiteShare[] {
  const bySite = new Map<string, SiteShare>();
  const add = (site: string, more: Partial<Omit<SiteShare, "site">>): void => {
    const before = bySite.get(site) ?? { site, ...NO_SHARE };
    bySite.set(site, {
      site,
      scope1_mg: plus(before.scope1_mg, more.scope1_mg ?? ZERO),
      scope2_mg: plus(before.scope2_mg, more.scope2_mg ?? ZERO),
      internal_mg: plus(before.internal_mg, more.internal_mg ?? ZERO),
      unbacked_mg: plus(before.unbacked_mg, more.unbacked_mg ?? ZERO),
    });
  };
  const ids = zone.sites.map(({ id }) => id);
  const covered = new Set([
    ...zone.sites.flatMap(({ id, stated }) => (stated === null ? [] : [id])),
    ...results.filter(({ scope }) => scope === 1).flatMap(({ activity }) => activity.site ?? []),
  ]);
  for (const { id, stated } of zone.sites) if (stated !== null) add(id, stated);
  for (const result of results) {
    const { site, supplier, id } = result.activity;
    if (site === null || !ids.includes(site))
      refuse(
        "zone.sites",
        `activity "${id}" is of ${site === null ? "no site" : `site "${site}"`}, which the zone does not list (allowed: ${ids.join(", ")})`,
      );
    if (supplier !== null && !ids.includes(supplier))
      refuse(
        "zone.sites",
        `activity "${id}" is supplied by "${supplier}", which the zone does not list (allowed: ${ids.join(", ")})`,
      );
    const mg = co2e(result);
    if (result.scope === 1) add(site, { scope1_mg: mg });
    else if (result.scope === 2) {
      const isInternal = supplier !== null;
      add(site, {
        scope2_mg: mg,
        internal_mg: isInternal ? mg : ZERO,
        unbacked_mg: isInternal && !covered.has(supplier) ? mg : ZERO,
      });
    } else add(site, {});
  }
  return [...bySite.values()];
}

/** What a new factor (or any other change) does to a figure: both stand, the difference is said (TT38 Art. 22, W23). */
export interface Restatement {
  readonly before_mg: Fraction;
  readonly after_mg: Fraction;
  readonly delta_mg: Fraction;
}

export function restate(before: Account, after: Account): Restatement {
  const of = ({ totals }: Account): Fraction => plus(totals.scope1_mg, totals.scope2Location_mg);
  return { before_mg: of(before), after_mg: of(after), delta_mg: minus(of(after), of(before)) };
}

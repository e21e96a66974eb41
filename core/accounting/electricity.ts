import { basisPerUnit, NO_PROPERTIES } from "../emission/basis.ts";
import type { Constant } from "../emission/factor.ts";
import {
  type Fraction,
  fraction,
  fromText,
  minus,
  ONE,
  over,
  product,
  roundFraction,
  times,
} from "../emission/fraction.ts";
import { lookupConstant } from "../emission/lookup.ts";
import type { UnitNotation } from "../units/units.ts";
import type { Activity, Book, Losses } from "./activity.ts";
import { checkDirectFactor, checkGridFactor, checkPower } from "./bands.ts";
import { input, type Step, step } from "./chain.ts";
import { amountOf, hoursOf, inTJ } from "./convert.ts";
import {
  assertNotRefused,
  factorStretches,
  listedFactor,
  listedUncertainty,
  shareOf,
  statedFactor,
} from "./factors.ts";
import { refuse } from "./refuse.ts";
import type { FactorUncertainty, LossResult, Part } from "./result.ts";

const MWH_PER_WH = fraction(1n, 1_000_000n);
const KG_PER_MG = fraction(1n, 1_000_000n);

/** MWh of an amount of energy. */
export function inMWh(activity: Activity, value: Fraction, unit: UnitNotation): Fraction {
  const perUnit = basisPerUnit("energy_Wh", unit, activity.carrier, NO_PROPERTIES);
  return product(value, amountOf(perUnit, activity, unit, "energy"), MWH_PER_WH);
}

export interface PowerResult {
  readonly parts: readonly Part[];
  readonly energy_TJ: Fraction;
  readonly MWh: Fraction;
  readonly factor: FactorUncertainty;
  readonly losses: LossResult | null;
  readonly steps: readonly Step[];
  readonly notes: readonly string[];
}

/** Electricity drawn from the grid, location-based: the factor of the year it was used in (methods §3, W06). */
export function draw(activity: Activity, value: Fraction, unit: UnitNotation, book: Book): PowerResult {
  const MWh = inMWh(activity, value, unit);
  checkPower(activity, times(MWh, fraction(1000n)), hoursOf(activity.period));
  const own = activity.factor;
  if (own === null && activity.use === "direct") {
    refuse(
      "factor",
      "is missing: electricity bought directly takes the factor that the seller states with evidence (Circular 38/2023 Annex II)",
      "FACTOR_MISSING",
    );
  }
  const made =
    own === null
      ? factorStretches(activity, book).map((stretch) => ({
          span: stretch.span,
          share: stretch.share,
          mg_per_MWh: times(fromText(stretch.match.factor.mg_per_basis.co2 ?? "0"), fraction(1_000_000n)),
          used: listedFactor(stretch.match),
          uncertainty: listedUncertainty(stretch.match.factor, activity.uncertainty.factor_pct),
          amount: shareOf(value, stretch),
        }))
      : [ownPart(activity, value, book)];
  const steps: Step[] = [];
  const parts = made.map(({ span, share, mg_per_MWh, used, amount }): Part => {
    const drawn = times(MWh, share);
    const exact = times(drawn, mg_per_MWh);
    const t_per_MWh = times(mg_per_MWh, fraction(1n, 1_000_000_000n));
    steps.push(
      step(
        "CO2",
        "mass = energy × grid factor",
        [
          input("energy", drawn, "MWh", "activity"),
          input("factor", t_per_MWh, "t/MWh", `${used.id} ${used.version ?? ""}: ${used.source}`.replace(" :", ":")),
        ],
        times(exact, KG_PER_MG),
        "kg",
      ),
    );
    return { span, amount, factor: used, mg: { co2: roundFraction(exact) } };
  });
  const mg_per_MWh = over(
    made
      .map(({ share, mg_per_MWh: mg }) => times(share, mg))
      .reduce((a, b) => ({ n: a.n * b.d + b.n * a.d, d: a.d * b.d })),
    ONE,
  );
  const stated = activity.losses === null ? null : resolved(activity.losses, activity, book);
  const losses = stated === null ? null : lossesOf(stated, MWh, mg_per_MWh);
  if (losses !== null) steps.push(lossStep(stated!, MWh, losses));
  return {
    parts,
    MWh,
    energy_TJ: inTJ(times(MWh, fraction(3600n))),
    factor: made[0]!.uncertainty,
    losses,
    steps,
    notes:
      made.length > 1
        ? [
            "the grid factor changes inside the period: the amount was divided by time; state each year apart to be exact",
          ]
        : [],
  };
}

function ownPart(activity: Activity, value: Fraction, book: Book) {
  const own = activity.factor!;
  assertNotRefused(own, activity.carrier, book);
  const perMWh = basisPerUnit("energy_Wh", own.per, activity.carrier, NO_PROPERTIES);
  const Wh = amountOf(perMWh, activity, own.per, "energy");
  const mg_per_MWh = times(over(own.mgPer.co2 ?? fraction(0n), Wh), fraction(1_000_000n));
  const t_per_MWh = times(mg_per_MWh, fraction(1n, 1_000_000_000n));
  if (activity.use === "direct") checkDirectFactor(activity, t_per_MWh);
  else checkGridFactor(activity, t_per_MWh);
  const key = `factor of ${own.source}`;
  return {
    span: activity.period,
    share: ONE,
    mg_per_MWh,
    used: statedFactor(own),
    uncertainty: { key, pct: own.uncertainty_pct ?? activity.uncertainty.factor_pct, byGas: null },
    amount: value,
  };
}

type KnownLosses = Exclude<Losses, { kind: "listed" }>;

function resolved(losses: Losses, activity: Activity, book: Book): KnownLosses {
  if (losses.kind !== "listed") return losses;
  const of = (id: string): Constant => {
    const found = lookupConstant(book.constants, id, activity.period.from_ms, book.knownAt_ms);
    return found?.value == null
      ? refuse(
          "losses.voltage",
          `no settlement factor ${id} for this period: ${found?.note ?? "none is listed"}; state k and k_pp, or rate_pct`,
          "FACTOR_MISSING",
        )
      : found;
  };
  const [k, kPp] = [of("losses.k_transmission"), of(`losses.k_pp.${losses.voltage}`)];
  return { kind: "settlement", k: fromText(k.value!), kPp: fromText(kPp.value!), source: kPp.document };
}

/** Energy lost in the network on its way: scope 3 category 3 (methods §5, W14). Never part of scope 2. */
export function lossesOf(losses: KnownLosses, MWh: Fraction, mg_per_MWh: Fraction): LossResult {
  const perMWh =
    losses.kind === "settlement" ? minus(times(losses.k, losses.kPp), ONE) : over(losses.rate, minus(ONE, losses.rate));
  const rate = losses.kind === "rate" ? losses.rate : minus(ONE, over(ONE, times(losses.k, losses.kPp)));
  const lost_MWh = times(MWh, perMWh);
  return { rate, lost_MWh, mg: { co2: roundFraction(times(lost_MWh, mg_per_MWh)) } };
}

function lossStep(losses: KnownLosses, MWh: Fraction, { lost_MWh }: LossResult): Step {
  const bought = input("energy", MWh, "MWh", "activity");
  return losses.kind === "settlement"
    ? step(
        "network losses",
        "lost = energy × (k × K_pp − 1)",
        [bought, input("k", losses.k, "1", losses.source), input("K_pp", losses.kPp, "1", losses.source)],
        lost_MWh,
        "MWh",
      )
    : step(
        "network losses",
        "lost = energy × L / (1 − L)",
        [bought, input("L", losses.rate, "1", losses.source)],
        lost_MWh,
        "MWh",
      );
}

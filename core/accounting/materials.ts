import { KG_OF, NO_PROPERTIES } from "../emission/basis.ts";
import { GASES, type Refrigerant } from "../emission/factor.ts";
import {
  compare,
  type Fraction,
  fraction,
  fractionText,
  fromText,
  minus,
  ONE,
  over,
  product,
  roundFraction,
  sum,
  times,
} from "../emission/fraction.ts";
import { lookupConstant } from "../emission/lookup.ts";
import type { UnitNotation } from "../units/units.ts";
import type { Activity, Book, LifeCycle, WasteWater } from "./activity.ts";
import { input, type Step, step } from "./chain.ts";
import { CH4_FOSSIL } from "./co2e.ts";
import { amountOf, unitRatio } from "./convert.ts";
import { factorStretches, listedFactor, listedUncertainty, shareOf, statedFactor } from "./factors.ts";
import { refuse } from "./refuse.ts";
import type { FactorUncertainty, FactorUsed, Part } from "./result.ts";

/** What leaks, is set free by a process or forms in treatment: no energy, only mass of gas (methods §2). */
export interface MaterialResult {
  readonly parts: readonly Part[];
  readonly mass_t: Fraction | null;
  readonly factor: FactorUncertainty | null;
  readonly steps: readonly Step[];
  readonly notes: readonly string[];
  readonly details: Readonly<Record<string, Fraction | string | boolean>>;
}

const MG_PER_KG = fraction(1_000_000n);

/** Tonnes of product or waste × factor. Process emissions stay in their own category, apart from combustion. */
export function process(activity: Activity, value: Fraction, unit: UnitNotation, book: Book): MaterialResult {
  const kg = times(value, KG_OF[unit as keyof typeof KG_OF]);
  const own = activity.factor;
  const steps: Step[] = [];
  const book1 = (gas: string, amount: Fraction, mgPer: Fraction, per: string, source: string): bigint => {
    const exact = times(amount, mgPer);
    const inputs = [
      input("amount", amount, per, "activity"),
      input("factor", over(mgPer, MG_PER_KG), `kg/${per}`, source),
    ];
    steps.push(step(gas, "mass = amount × factor", inputs, over(exact, MG_PER_KG), "kg"));
    return roundFraction(exact);
  };
  const mass_t = over(kg, fraction(1000n));
  if (own !== null) {
    const ratio = amountOf(
      unitRatio(unit, own.per, activity.carrier, NO_PROPERTIES),
      activity,
      unit,
      `the ${own.per} of its factor`,
    );
    const amount = times(value, ratio);
    const mg = Object.fromEntries(
      Object.entries(own.mgPer).map(([gas, mgPer]) => [gas, book1(gas, amount, mgPer, own.per, own.source)]),
    );
    const factor = {
      key: `factor of ${own.source}`,
      pct: own.uncertainty_pct ?? activity.uncertainty.factor_pct,
      byGas: null,
    };
    return {
      parts: [{ span: activity.period, amount: value, factor: statedFactor(own), mg }],
      mass_t,
      factor,
      steps,
      notes: [],
      details: {},
    };
  }
  if (activity.use === "other") {
    refuse(
      "factor",
      "is missing: a process without an entry in the lists needs one of its own (factor: {value, unit: t/t, source})",
      "FACTOR_MISSING",
    );
  }
  const stretches = factorStretches(activity, book);
  const parts = stretches.map((stretch): Part => {
    const { factor } = stretch.match;
    const amount = times(kg, stretch.share);
    const mg: Record<string, bigint> = {};
    for (const gas of GASES) {
      const mgPer = factor.mg_per_basis[gas];
      if (mgPer !== undefined)
        mg[gas] = book1(gas, amount, fromText(mgPer), "kg", `${factor.id} ${factor.version}: ${factor.document}`);
    }
    return { span: stretch.span, amount: shareOf(value, stretch), factor: listedFactor(stretch.match), mg };
  });
  const factor = listedUncertainty(stretches[0]!.match.factor, activity.uncertainty.factor_pct);
  return { parts, mass_t, factor, steps, notes: [], details: {} };
}

/** Methane that escaped from pipes and valves, by mass; no factor but its warming potential. */
export function leakMethane(activity: Activity): MaterialResult {
  const kg = kgOf(activity.amount);
  const used: FactorUsed = {
    id: "methane",
    version: null,
    match: "exact",
    why: null,
    value: "1",
    unit: "kg CH4/kg",
    source: "mass as stated; the warming potential of fugitive fossil methane",
    confidence: "official",
    level: "ipcc",
  };
  const steps = [step("CH4", "mass = escaped mass", [input("escaped", kg, "kg", "activity")], kg, "kg")];
  const mg = { [CH4_FOSSIL]: roundFraction(times(kg, MG_PER_KG)) };
  const amount = activity.amount.kind === "quantity" ? activity.amount.value : kg;
  return {
    parts: [{ span: activity.period, amount, factor: used, mg }],
    mass_t: over(kg, fraction(1000n)),
    factor: null,
    steps,
    notes: [],
    details: {},
  };
}

/** Kilograms of a refrigerant that left the equipment, by top-up or by life cycle (Circular 38/2023, W12, W13). */
export function leak(activity: Activity, book: Book): MaterialResult {
  const { mix, amount } = activity;
  if (mix === null)
    refuse(
      "refrigerant",
      `is missing (allowed: ${book.refrigerants.map(({ id }) => id).join(", ")}, or a composition)`,
    );
  const listed = book.refrigerants.find(({ id }) => id === mix.name);
  const composition = compositionOf(mix.composition, listed, mix.name, book);
  const life = amount.kind === "life_cycle" ? lifeCycle(amount) : null;
  const kg = life === null ? kgOf(amount) : life.total;
  const mg: Record<string, bigint> = {};
  const steps: Step[] = [...(life?.steps ?? [])];
  for (const [gas, share] of Object.entries(composition)) {
    const exact = times(kg, share);
    mg[gas] = roundFraction(times(exact, MG_PER_KG));
    const source = mix.composition === null ? (listed?.document ?? "") : "stated";
    steps.push(
      step(
        gas,
        "mass = leaked × mass fraction",
        [input("leaked", kg, "kg", "activity"), input("fraction", share, "1", source)],
        exact,
        "kg",
      ),
    );
  }
  const used: FactorUsed = {
    id: mix.name,
    version: null,
    match: mix.composition === null ? "exact" : "own",
    why: null,
    value: Object.entries(composition)
      .map(([gas, share]) => `${fractionText(share)} ${gas}`)
      .join(" + "),
    unit: "mass fraction",
    source: mix.composition === null ? (listed?.document ?? "") : "stated composition",
    confidence: mix.composition === null ? (listed?.confidence ?? "stated") : "stated",
    level: mix.composition === null ? "ipcc" : "own",
  };
  const total = amount.kind === "quantity" ? amount.value : kg;
  return {
    parts: [{ span: activity.period, amount: total, factor: used, mg }],
    mass_t: over(kg, fraction(1000n)),
    factor: null,
    steps,
    notes: Object.keys(composition).some((gas) => gas.startsWith("HCFC"))
      ? ["holds HCFC: in TT38 with its GWP, outside the scopes of the GHG Protocol; its mass stands apart"]
      : [],
    details:
      life === null
        ? {}
        : {
            assembly_kg: life.assembly,
            operation_kg: life.operation,
            disposal_kg: life.disposal,
            total_kg: life.total,
          },
  };
}

function kgOf(amount: Activity["amount"]): Fraction {
  if (amount.kind !== "quantity") return refuse("quantity", "is missing: kilograms, or for refrigerants a life_cycle");
  return times(amount.value, KG_OF[amount.unit as keyof typeof KG_OF]);
}

function compositionOf(
  own: Readonly<Record<string, Fraction>> | null,
  listed: Refrigerant | undefined,
  name: string,
  book: Book,
): Readonly<Record<string, Fraction>> {
  if (own !== null) {
    const whole = sum(Object.values(own));
    if (compare(whole, ONE) !== 0)
      refuse("composition", `the mass fractions add up to ${fractionText(whole)}, not to 1`);
    return own;
  }
  if (listed === undefined) {
    return refuse(
      "refrigerant",
      `"${name}" is not known (allowed: ${book.refrigerants.map(({ id }) => id).join(", ")}, or give its composition)`,
    );
  }
  if (listed.composition === null) return { [listed.id]: ONE };
  return Object.fromEntries(Object.entries(listed.composition).map(([gas, share]) => [gas, fromText(share)]));
}

function lifeCycle(life: LifeCycle) {
  const assembly = times(life.newCharge_kg, life.assemblyLoss);
  const operation = times(life.operatingCharge_kg, life.operatingLoss);
  const disposal = product(life.disposedCharge_kg, life.remaining, minus(ONE, life.recovered));
  const total = sum([assembly, operation, disposal]);
  const steps = [
    step(
      "assembly",
      "charge × k",
      [input("charge", life.newCharge_kg, "kg", "equipment register"), input("k", life.assemblyLoss, "1", "stated")],
      assembly,
      "kg",
    ),
    step(
      "operation",
      "charge × x",
      [
        input("charge", life.operatingCharge_kg, "kg", "equipment register"),
        input("x", life.operatingLoss, "1", "stated"),
      ],
      operation,
      "kg",
    ),
    step(
      "end of life",
      "charge × p × (1 − recovered)",
      [
        input("charge", life.disposedCharge_kg, "kg", "equipment register"),
        input("p", life.remaining, "1", "stated"),
        input("recovered", life.recovered, "1", "stated"),
      ],
      disposal,
      "kg",
    ),
  ];
  return { assembly, operation, disposal, total, steps };
}

/** N2O of nitrogen: molar masses 44 over 28. */
const N2O_PER_N = fraction(44n, 28n);

/** CH4 (and N2O of domestic nitrogen) of a treatment stage: (TOW − S) × B0 × MCF − R (methods §2, W28). */
export function treatWater(activity: Activity, water: WasteWater, book: Book): MaterialResult {
  const prefix = activity.carrier === "domestic_waste_water" ? "domestic_waste_water" : "waste_water";
  const b0 = constantOr(water.b0, `${prefix}.b0`, activity, book);
  const mcf = constantOr(water.mcf, `${prefix}.mcf.${activity.use}`, activity, book);
  const degraded = minus(water.load_kg, water.sludge_kg);
  if (degraded.n < 0n)
    refuse("waste_water.sludge_kg", "is more than the load: sludge cannot carry off what never came in");
  const formed = product(degraded, b0.value, mcf.value);
  const ch4 = minus(formed, water.recovered_CH4_kg);
  if (ch4.n < 0n)
    refuse(
      "waste_water.recovered_CH4_kg",
      `is more than the ${fractionText(formed)} kg CH4 that can form: check the load, B0 and MCF`,
    );
  const oxygen = prefix === "waste_water" ? "COD" : "BOD";
  const steps = [
    step(
      "CH4",
      "CH4 = (TOW − S) × B0 × MCF − R",
      [
        input("TOW", water.load_kg, `kg ${oxygen}`, "activity"),
        input("S", water.sludge_kg, `kg ${oxygen}`, "sludge removed"),
        input("B0", b0.value, `kg CH4/kg ${oxygen}`, b0.source),
        input("MCF", mcf.value, "1", mcf.source),
        input("R", water.recovered_CH4_kg, "kg CH4", "recovered and burnt"),
      ],
      ch4,
      "kg",
    ),
  ];
  const mg: Record<string, bigint> = { ch4: roundFraction(times(ch4, MG_PER_KG)) };
  if (water.nitrogen_kg.n !== 0n) {
    const ef = constantOr(null, "domestic_waste_water.n2o", activity, book);
    const n2o = product(water.nitrogen_kg, ef.value, N2O_PER_N);
    mg.n2o = roundFraction(times(n2o, MG_PER_KG));
    steps.push(
      step(
        "N2O",
        "N2O = N × EF × 44/28",
        [input("N", water.nitrogen_kg, "kg N", "activity"), input("EF", ef.value, "kg N2O-N/kg N", ef.source)],
        n2o,
        "kg",
      ),
    );
  }
  const used: FactorUsed = {
    id: `${prefix}-${activity.use.replaceAll("_", "-")}`,
    version: null,
    match: water.b0 === null && water.mcf === null ? "exact" : "own",
    why: null,
    value: fractionText(times(b0.value, mcf.value)),
    unit: `kg CH4/kg ${oxygen}`,
    source: [...new Set([b0.source, mcf.source])].join("; "),
    confidence: water.b0 === null && water.mcf === null ? "official" : "stated",
    level: "ministry",
  };
  return {
    parts: [{ span: activity.period, amount: water.load_kg, factor: used, mg }],
    mass_t: null,
    factor: { key: `factor ${used.id}`, pct: activity.uncertainty.factor_pct, byGas: null },
    steps,
    notes: [],
    details: { load_kg: water.load_kg, ch4_formed_kg: formed, ch4_kg: ch4 },
  };
}

function constantOr(
  own: Fraction | null,
  id: string,
  activity: Activity,
  book: Book,
): { readonly value: Fraction; readonly source: string } {
  if (own !== null) return { value: own, source: "stated" };
  const found = lookupConstant(book.constants, id, activity.period.from_ms, book.knownAt_ms);
  if (found?.value == null)
    return refuse("waste_water", `no list has ${id} for this period: state it`, "FACTOR_MISSING");
  return { value: fromText(found.value), source: found.document };
}

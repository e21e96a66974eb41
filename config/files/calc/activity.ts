import { z } from "zod";
import {
  type Activity,
  type Amount,
  COAL_GRADES,
  type GasConditions,
  type HeatSupply,
  type Losses,
  type Span,
  VOLTAGE_LEVELS,
} from "../../../core/accounting/activity.ts";
import { unitsOf } from "../../../core/accounting/convert.ts";
import type { RegisterStretch } from "../../../core/accounting/registers.ts";
import { CARRIERS, usualUse } from "../../../core/emission/carriers.ts";
import { fraction, minus, ONE, plus, times, ZERO } from "../../../core/emission/fraction.ts";
import { section, text } from "../../fields.ts";
import { density, ncv, ownFactor, toeCoefficient } from "./figures.ts";
import {
  amount,
  carrier,
  closedList,
  exact,
  halfWidth,
  percent,
  period,
  positiveAmount,
  shareNumber,
  source,
  unit,
  use,
} from "./numbers.ts";

/** An activity of a calculation file: what was used, when, how it is known, and what is stated about it. */

const stretch = section({
  start: amount("Reading at the beginning"),
  end: amount("Reading at the end"),
  ct_ratio: positiveAmount("Current transformer, primary over secondary; 1 if the reading is primary").prefault(1),
  vt_ratio: positiveAmount("Voltage transformer, primary over secondary").prefault(1),
  per_count: positiveAmount("Amount of one count, in the activity's unit").prefault(1),
  digits: z
    .int()
    .min(1)
    .max(18)
    .describe("Digits before the point: after all nines it starts at 0 again")
    .exactOptional(),
  hours: positiveAmount("Length of the stretch; absent = the period").exactOptional(),
  max_per_hour: positiveAmount(
    "Greatest amount an hour that can flow, in the activity's unit (for kWh: kW)",
  ).exactOptional(),
});

const registers = z
  .union([stretch, z.array(stretch).min(1).max(100)])
  .describe("Readings of a cumulative register; a list where transformer or meter changed in between");

const conditions = section({
  p_abs_kPa: positiveAmount("Absolute pressure at the meter").exactOptional(),
  p_gauge_kPa: amount("Gauge pressure at the meter; the barometric one is added").exactOptional(),
  p_baro_kPa: positiveAmount("Barometric pressure").prefault(101.325),
  t_degC: exact("Temperature of the gas"),
  z_ratio: positiveAmount("Compressibility at the meter over that at the reference").prefault(1),
})
  .superRefine((written, context) => {
    if ((written.p_abs_kPa === undefined) === (written.p_gauge_kPa === undefined)) {
      context.addIssue({ code: "custom", message: "needs either p_abs_kPa or p_gauge_kPa" });
    }
    if (written.t_degC.n * 100n <= -27_315n * written.t_degC.d) {
      context.addIssue({ code: "custom", path: ["t_degC"], message: "is below absolute zero" });
    }
  })
  .transform(
    (written): GasConditions => ({
      pressure_kPa_abs: written.p_abs_kPa ?? plus(written.p_gauge_kPa ?? ZERO, written.p_baro_kPa),
      temperature_degC: written.t_degC,
      zRatio: written.z_ratio,
    }),
  )
  .describe("Condition of gas metered in m3; only for a volume that nobody converted yet");

const supply = section({
  enthalpy_kJ_per_kg: positiveAmount("Of the steam, at its pressure and temperature").exactOptional(),
  feedwater_kJ_per_kg: amount("Taken off for internal allocation only; Circular 38 does not").prefault(0),
  efficiency: positiveAmount("Of the boiler, as a fraction: 0.85").exactOptional(),
  efficiency_pct: positiveAmount("The same in per cent: 85").exactOptional(),
  cop: positiveAmount("Coefficient of performance of a chiller or heat pump").exactOptional(),
  fuel: carrier("What it is made from").exactOptional(),
  ef_kg_per_TJ: amount("CO2 factor of that fuel, where the supplier states one").exactOptional(),
  fuels: z
    .array(
      section({
        carrier: carrier("What goes in"),
        share: shareNumber("Share of the energy put in"),
        ef_kg_per_TJ: amount("CO2 factor, where the supplier states one").exactOptional(),
      }),
    )
    .min(1)
    .max(20)
    .describe("For a mix; the shares add up to 1")
    .exactOptional(),
})
  .superRefine((written, context) => {
    const rates = [written.efficiency, written.efficiency_pct, written.cop].filter((rate) => rate !== undefined);
    if (rates.length !== 1)
      context.addIssue({ code: "custom", message: "needs one of efficiency, efficiency_pct, cop" });
    if ((written.fuel === undefined) === (written.fuels === undefined)) {
      context.addIssue({ code: "custom", message: "needs either fuel or fuels" });
    }
  })
  .transform((written): HeatSupply => {
    const pct = written.efficiency_pct;
    return {
      enthalpy_kJ_per_kg: written.enthalpy_kJ_per_kg ?? null,
      feedwater_kJ_per_kg: written.feedwater_kJ_per_kg,
      efficiency: written.cop ?? written.efficiency ?? times(pct ?? ONE, fraction(1n, 100n)),
      isCop: written.cop !== undefined,
      inputs: (
        written.fuels ?? [
          {
            carrier: written.fuel ?? "diesel",
            share: ONE,
            ...(written.ef_kg_per_TJ === undefined ? {} : { ef_kg_per_TJ: written.ef_kg_per_TJ }),
          },
        ]
      ).map((one) => ({
        carrier: one.carrier,
        share: one.share,
        ef_kg_per_TJ: one.ef_kg_per_TJ ?? null,
      })),
    };
  })
  .describe(
    "How bought steam, heat or cold was made: the fall-back where the supplier states no factor (Circular 38, Decision 334)",
  );

const lifeCycle = section({
  new_charge_kg: amount("Charged into new equipment").prefault(0),
  assembly_loss_pct: percent("Lost in assembly (k)").prefault(0),
  operating_charge_kg: amount("In equipment at work").prefault(0),
  operating_loss_pct: percent("Lost in operation in the period (x)").prefault(0),
  disposed_charge_kg: amount("Charge of equipment given up").prefault(0),
  remaining_pct: percent("Of it still inside at the end (p)").prefault(100),
  recovered_pct: percent("Of that recovered").prefault(0),
}).describe("Refrigerant by the life of the equipment (Circular 38 method 2)");

const wasteWater = section({
  load_kg: amount("Organic load of the period: kg COD, for domestic water kg BOD").exactOptional(),
  load_kg_per_day: amount("The same a day").exactOptional(),
  days: positiveAmount("Days of operation; absent = those of the period").exactOptional(),
  sludge_kg: amount("Taken out with the sludge, kg COD or BOD").prefault(0),
  recovered_ch4_kg: amount("Methane recovered and burnt").prefault(0),
  nitrogen_kg: amount("Nitrogen in the effluent, kg N (domestic)").prefault(0),
  b0: positiveAmount("Own methane capacity, kg CH4 per kg").exactOptional(),
  mcf: shareNumber("Own methane correction factor").exactOptional(),
})
  .superRefine((written, context) => {
    if ((written.load_kg === undefined) === (written.load_kg_per_day === undefined)) {
      context.addIssue({ code: "custom", message: "needs either load_kg or load_kg_per_day" });
    }
  })
  .describe("Load of a treatment stage; `use` names the treatment");

const stock = section({
  opening: amount("In stock when the period begins").prefault(0),
  deliveries: amount("Delivered in the period").prefault(0),
  closing: amount("In stock when it ends").prefault(0),
  resold: amount("Given on to others").prefault(0),
})
  .superRefine(({ opening, deliveries, closing, resold }, context) => {
    const used = minus(plus(opening, deliveries), plus(closing, resold));
    if (used.n < 0n) context.addIssue({ code: "custom", message: "more is left and resold than was ever there" });
  })
  .transform(({ opening, deliveries, closing, resold }) => minus(plus(opening, deliveries), plus(closing, resold)))
  .describe("Used = opening + deliveries − closing − resold, in `unit`");

const losses = section({
  voltage: closedList(VOLTAGE_LEVELS, "Level of supply: the published settlement factors").exactOptional(),
  k: positiveAmount("Settlement factor of transmission").exactOptional(),
  k_pp: positiveAmount("Settlement factor of distribution").exactOptional(),
  rate_pct: percent("Loss rate on what was put in").exactOptional(),
  source: source(),
})
  .superRefine((written, context) => {
    const pair = written.k !== undefined && written.k_pp !== undefined;
    const ways = [written.voltage !== undefined, pair, written.rate_pct !== undefined].filter(Boolean).length;
    const half = (written.k === undefined) !== (written.k_pp === undefined);
    if (ways !== 1 || half)
      context.addIssue({ code: "custom", message: "needs one of voltage, k and k_pp together, rate_pct" });
  })
  .transform((written): Losses => {
    if (written.voltage !== undefined) return { kind: "listed", voltage: written.voltage };
    if (written.rate_pct !== undefined) return { kind: "rate", rate: written.rate_pct, source: written.source };
    return { kind: "settlement", k: written.k ?? ONE, kPp: written.k_pp ?? ONE, source: written.source };
  })
  .describe("Network losses of bought electricity: scope 3 category 3, outside scope 2");

const uncertainty = section({
  activity_pct: halfWidth("Of the amount").exactOptional(),
  ncv_pct: halfWidth("Of the calorific value").exactOptional(),
  factor_pct: halfWidth("Of the factor, e.g. an assumption for the grid's, which publishes none").exactOptional(),
  meter: section({
    class: z.number().positive().max(10).describe("Accuracy class of the meter, %"),
    ct_class: z.number().positive().max(10).describe("Of the current transformer").exactOptional(),
    vt_class: z.number().positive().max(10).describe("Of the voltage transformer").exactOptional(),
    rule: closedList(
      ["limit", "rectangular"],
      "limit: the class is the half-width; rectangular: limit / √3 × 1.96",
    ).prefault("limit"),
  })
    .describe("Metering chain, instead of activity_pct")
    .exactOptional(),
  meter_id: text("Two activities of one meter err together").exactOptional(),
}).describe("95 % half-widths; what is absent is unknown, not zero");

export const activitySchema = section({
  id: text("Name of the activity, unique in the file"),
  site: text("Factory it belongs to").exactOptional(),
  supplier: text("Factory of the same zone that sold it").exactOptional(),
  carrier: carrier("What was used"),
  use: use("What for; absent = the carrier's usual use").exactOptional(),
  period: period().exactOptional(),
  quantity: amount("How much").exactOptional(),
  unit: unit("Unit of the quantity").exactOptional(),
  registers: registers.exactOptional(),
  stock: stock.exactOptional(),
  conditions: conditions.exactOptional(),
  density: density().exactOptional(),
  ncv: ncv().exactOptional(),
  factor: ownFactor("Own emission factor; goes before all lists").exactOptional(),
  supply: supply.exactOptional(),
  refrigerant: text("ASHRAE 34 number, e.g. R-410A").exactOptional(),
  composition: z
    .record(z.string().min(1), shareNumber("Mass fraction"))
    .describe("Own mass fractions by gas, e.g. {HFC32: 0.5, HFC125: 0.5}")
    .exactOptional(),
  life_cycle: lifeCycle.exactOptional(),
  waste_water: wasteWater.exactOptional(),
  biogenic_share: shareNumber("Of the carbon of a mixed fuel; without an analysis it counts as fossil").exactOptional(),
  losses: losses.exactOptional(),
  certificates_sold_MWh: amount(
    "Of on-site generation: the same MWh are grid electricity in the market-based figure",
  ).exactOptional(),
  toe_coefficient: toeCoefficient().exactOptional(),
  coal_grade: closedList(COAL_GRADES, "Grade of Vietnamese coal, for its TOE coefficient").exactOptional(),
  max_power_kW: positiveAmount("Greatest mean power that is plausible").exactOptional(),
  uncertainty: uncertainty.exactOptional(),
  evidence: text("Invoice, weighing slip, photo").exactOptional(),
  accept: text("Why a figure outside its plausibility band is right").exactOptional(),
}).superRefine((written, context) => {
  const issue = (key: string, message: string) => context.addIssue({ code: "custom", path: [key], message });
  const row = CARRIERS[written.carrier];
  const uses: readonly string[] = row.uses;
  if (written.use !== undefined && !uses.includes(written.use)) {
    issue("use", `${written.carrier} is not used for "${written.use}" (allowed: ${uses.join(", ")})`);
  }
  const ways = (["quantity", "registers", "stock", "life_cycle", "waste_water"] as const).filter(
    (key) => written[key] !== undefined,
  );
  const wanted =
    row.kind === "waste_water"
      ? ["waste_water"]
      : row.kind === "refrigerant"
        ? ["quantity", "life_cycle"]
        : ["quantity", "registers", "stock"];
  if (ways.length === 0) issue(wanted[0]!, `is missing (${written.carrier} is stated by ${wanted.join(" or ")})`);
  for (const way of ways) {
    if (!wanted.includes(way)) issue(way, `is not how ${written.carrier} is stated (give ${wanted.join(" or ")})`);
  }
  if (ways.length > 1) issue(ways[1]!, `stands beside ${ways[0]}: give one of them`);
  const needsUnit = ways[0] === "quantity" || ways[0] === "registers" || ways[0] === "stock";
  if (needsUnit && written.unit === undefined)
    issue("unit", `is missing (allowed: ${unitsOf(written.carrier).join(", ")})`);
  if (row.kind === "refrigerant" && written.refrigerant === undefined && written.composition === undefined) {
    issue("refrigerant", "is missing: an ASHRAE 34 number such as R-410A, or a composition");
  }
  const belongs: readonly (readonly [keyof typeof written, boolean, string])[] = [
    ["conditions", row.phase === "gas", "gas"],
    ["density", row.phase === "liquid", "liquids"],
    ["ncv", row.kind === "fuel", "fuels"],
    ["supply", row.kind === "heat", "purchased steam, heat and cold"],
    ["refrigerant", row.kind === "refrigerant", "refrigerant"],
    ["composition", row.kind === "refrigerant", "refrigerant"],
    ["losses", written.carrier === "electricity", "electricity"],
    ["certificates_sold_MWh", row.kind === "own_power", "on-site generation"],
    ["biogenic_share", row.kind === "fuel", "fuels"],
    ["coal_grade", row.phase === "solid", "coal"],
    ["supplier", row.kind === "heat" || written.carrier === "electricity", "bought energy"],
  ];
  for (const [key, fits, what] of belongs)
    if (written[key] !== undefined && !fits) issue(key, `belongs to ${what}, not to ${written.carrier}`);
  if (written.density !== undefined && (written.unit === "kg" || written.unit === "t"))
    issue("density", `is not needed for an amount in ${written.unit} (did you mean L?)`);
  if (written.factor !== undefined && written.supply !== undefined)
    issue("supply", "stands beside factor: the supplier's factor goes before it");
  if (written.uncertainty?.activity_pct !== undefined && written.uncertainty.meter !== undefined)
    issue("uncertainty", "has activity_pct and meter: give one of them");
});

type Written = z.output<typeof activitySchema>;

/** @param usual the period of the file; null = the file has none, so the activity must. */
export function activityOf(written: Written, usual: Span | null): Activity | null {
  const span = written.period ?? usual;
  if (span === null) return null;
  return {
    id: written.id,
    site: written.site ?? null,
    supplier: written.supplier ?? null,
    carrier: written.carrier,
    use: written.use ?? (written.life_cycle === undefined ? usualUse(written.carrier) : "life_cycle"),
    period: span,
    amount: amountOf(written, span),
    conditions: written.conditions ?? null,
    ncv: written.ncv ?? null,
    density: written.density ?? null,
    factor: written.factor ?? null,
    supply: written.supply ?? null,
    mix:
      written.refrigerant === undefined && written.composition === undefined
        ? null
        : { name: written.refrigerant ?? "own blend", composition: written.composition ?? null },
    biogenicShare: written.biogenic_share ?? null,
    losses: written.losses ?? null,
    certificatesSold_MWh: written.certificates_sold_MWh ?? null,
    toe: written.toe_coefficient ?? null,
    coalGrade: written.coal_grade ?? null,
    maxPower_kW: written.max_power_kW ?? null,
    uncertainty: {
      activity_pct: written.uncertainty?.activity_pct ?? null,
      ncv_pct: written.uncertainty?.ncv_pct ?? null,
      factor_pct: written.uncertainty?.factor_pct ?? null,
      meter: meterOf(written),
      meterId: written.uncertainty?.meter_id ?? null,
    },
    provenance: { kind: "stated", evidence: written.evidence ?? null },
    accepted: written.accept ?? null,
  };
}

function meterOf(written: Written): Activity["uncertainty"]["meter"] {
  const meter = written.uncertainty?.meter;
  if (meter === undefined) return null;
  return { meter_pct: meter.class, ct_pct: meter.ct_class ?? null, vt_pct: meter.vt_class ?? null, rule: meter.rule };
}

function amountOf(written: Written, span: Span): Amount {
  if (written.life_cycle !== undefined) {
    const life = written.life_cycle;
    return {
      kind: "life_cycle",
      newCharge_kg: life.new_charge_kg,
      assemblyLoss: life.assembly_loss_pct,
      operatingCharge_kg: life.operating_charge_kg,
      operatingLoss: life.operating_loss_pct,
      disposedCharge_kg: life.disposed_charge_kg,
      remaining: life.remaining_pct,
      recovered: life.recovered_pct,
    };
  }
  if (written.waste_water !== undefined) {
    const water = written.waste_water;
    const days = water.days ?? fraction(BigInt(span.to_ms - span.from_ms), 86_400_000n);
    return {
      kind: "waste_water",
      load_kg: water.load_kg ?? times(water.load_kg_per_day ?? ZERO, days),
      sludge_kg: water.sludge_kg,
      recovered_CH4_kg: water.recovered_ch4_kg,
      nitrogen_kg: water.nitrogen_kg,
      b0: water.b0 ?? null,
      mcf: water.mcf ?? null,
    };
  }
  const unitOf = written.unit ?? "kg";
  if (written.registers !== undefined) {
    const list = Array.isArray(written.registers) ? written.registers : [written.registers];
    return { kind: "registers", unit: unitOf, stretches: list.map((one) => stretchOf(one, span)) };
  }
  return { kind: "quantity", value: written.quantity ?? written.stock ?? ZERO, unit: unitOf };
}

function stretchOf(written: z.output<typeof stretch>, { from_ms, to_ms }: Span): RegisterStretch {
  return {
    start: written.start,
    end: written.end,
    ctRatio: written.ct_ratio,
    vtRatio: written.vt_ratio,
    perCount: written.per_count,
    digits: written.digits ?? null,
    hours: written.hours ?? fraction(BigInt(to_ms - from_ms), 3_600_000n),
    maxPerHour: written.max_per_hour ?? null,
  };
}

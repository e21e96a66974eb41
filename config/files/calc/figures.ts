import { z } from "zod";
import type { Figure, OwnFactor } from "../../../core/accounting/activity.ts";
import { type Fraction, fraction, fractionText, fromText, times } from "../../../core/emission/fraction.ts";
import type { UnitNotation } from "../../../core/units/units.ts";
import { section, shown } from "../../fields.ts";
import { offer } from "../../nearest.ts";
import { AMOUNT_UNITS, amount, closedList, halfWidth, positiveAmount, source } from "./numbers.ts";

/** Figures a file states itself, each with unit and source: factors, calorific values, densities. */

const MG: Readonly<Record<string, Fraction>> = {
  mg: fraction(1n),
  g: fraction(1000n),
  kg: fraction(1_000_000n),
  t: fraction(1_000_000_000n),
};
const FACTOR_UNIT = /^(mg|g|kg|t) ?(?:CO2e?)?\/(1000 |million )?([A-Za-z0-9]+)$/;

/** `t/MWh`, `kg/TJ`, `kgCO2/L`, `kg/1000 Nm3` → mg per one unit. */
export function parseFactorUnit(written: string): { readonly mg: Fraction; readonly per: UnitNotation } | null {
  const match = FACTOR_UNIT.exec(written);
  const per = AMOUNT_UNITS.find((unit) => unit === match?.[3]);
  const mg = MG[match?.[1] ?? ""];
  if (mg === undefined || per === undefined) return null;
  const many = match?.[2] === "1000 " ? 1000n : match?.[2] === "million " ? 1_000_000n : 1n;
  return { mg: times(mg, fraction(1n, many)), per };
}

const USUAL_UNITS = ["t/MWh", "kg/kWh", "t/t", "kg/t", "kg/kg", "kg/L", "kg/Nm3", "kg/TJ", "kg/GJ", "t/TJ"] as const;

const factorUnit = z
  .string()
  .refine((written) => parseFactorUnit(written) !== null, {
    error: (issue) => `${shown(issue.input)} is no unit of a factor${offer(String(issue.input), USUAL_UNITS)}`,
  })
  .describe("Mass of gas per unit of activity, e.g. t/MWh, kg/TJ, t/t, kg/L");

export const ownFactor = (description: string) =>
  section({
    value: amount("CO2 (for a supplier's statement also CO2e) per unit").exactOptional(),
    co2: amount("Fossil carbon dioxide per unit").exactOptional(),
    ch4: amount("Methane per unit").exactOptional(),
    n2o: amount("Nitrous oxide per unit").exactOptional(),
    co2_biogenic: amount("Carbon dioxide of biomass per unit, a memo item").exactOptional(),
    unit: factorUnit,
    source: source(),
    uncertainty_pct: halfWidth("Of the factor").exactOptional(),
  })
    .superRefine((written, context) => {
      const gases = [written.co2, written.ch4, written.n2o, written.co2_biogenic].filter((gas) => gas !== undefined);
      const isOne = (written.value !== undefined) !== gases.length > 0;
      if (!isOne)
        context.addIssue({
          code: "custom",
          message: "needs either `value`, or the gases (co2, ch4, n2o, co2_biogenic)",
        });
    })
    .transform((written): OwnFactor => {
      const { mg, per } = parseFactorUnit(written.unit)!;
      const of = (value: Fraction | undefined, gas: string) => (value === undefined ? {} : { [gas]: times(value, mg) });
      return {
        mgPer: {
          ...of(written.value, "co2"),
          ...of(written.co2, "co2"),
          ...of(written.ch4, "ch4"),
          ...of(written.n2o, "n2o"),
          ...of(written.co2_biogenic, "co2_biogenic"),
        },
        per,
        stated: {
          value: fractionText(
            written.value ?? written.co2 ?? written.co2_biogenic ?? written.ch4 ?? written.n2o ?? fraction(0n),
          ),
          unit: written.unit,
        },
        source: written.source,
        uncertainty_pct: written.uncertainty_pct ?? null,
      };
    })
    .describe(description);

/** What one of the written unit is in ours. */
const NCV_UNITS: Readonly<Record<string, { readonly unit: "MJ/Nm3" | "GJ/t"; readonly times: Fraction }>> = {
  "MJ/Nm3": { unit: "MJ/Nm3", times: fraction(1n) },
  "MJ/Sm3": { unit: "MJ/Nm3", times: fraction(28_815n, 27_315n) },
  "GJ/t": { unit: "GJ/t", times: fraction(1n) },
  "TJ/Gg": { unit: "GJ/t", times: fraction(1n) },
  "MJ/kg": { unit: "GJ/t", times: fraction(1n) },
  "TJ/t": { unit: "GJ/t", times: fraction(1000n) },
  "kJ/kg": { unit: "GJ/t", times: fraction(1n, 1000n) },
  "kcal/kg": { unit: "GJ/t", times: times(fromText("4.1868"), fraction(1n, 1000n)) },
};

export const ncv = () =>
  section({
    value: positiveAmount("Net (lower) calorific value"),
    unit: closedList(Object.keys(NCV_UNITS) as [string, ...string[]], "Unit of the value"),
    source: source(),
    uncertainty_pct: halfWidth("Of the calorific value").exactOptional(),
  })
    .transform((written): Figure => {
      const { unit, times: factor } = NCV_UNITS[written.unit]!;
      return {
        value: times(written.value, factor),
        unit,
        source: written.source,
        uncertainty_pct: written.uncertainty_pct ?? null,
      };
    })
    .describe("Net calorific value of a certificate; goes before the lists");

const DENSITY_UNITS: Readonly<Record<string, Fraction>> = {
  "kg/L": fraction(1n),
  "g/cm3": fraction(1n),
  "t/m3": fraction(1n),
  "kg/m3": fraction(1n, 1000n),
};

export const density = () =>
  section({
    value: positiveAmount("Density at 15 °C"),
    unit: closedList(Object.keys(DENSITY_UNITS) as [string, ...string[]], "Unit of the value").prefault("kg/L"),
    source: source(),
  })
    .transform(
      (written): Figure => ({
        value: times(written.value, DENSITY_UNITS[written.unit]!),
        unit: "kg/L",
        source: written.source,
        uncertainty_pct: null,
      }),
    )
    .describe("Density of the delivery note; goes before the fall-back");

export const toeCoefficient = () =>
  section({
    value: positiveAmount("Tonnes of oil equivalent per unit"),
    unit: z.string().describe("toe/MWh, toe/t, toe/1000 L, toe/1000 Nm3"),
    source: source(),
  })
    .transform((written): Figure => ({ ...written, uncertainty_pct: null }))
    .describe("Own coefficient instead of the letter's");

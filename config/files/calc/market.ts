import { z } from "zod";
import { deliveredByGrid, INSTRUMENT_KINDS, type Instrument } from "../../../core/accounting/market.ts";
import { energyPerUnit, MJ_OF } from "../../../core/emission/basis.ts";
import { type Fraction, fraction, over, times, ZERO } from "../../../core/emission/fraction.ts";
import { section, text } from "../../fields.ts";
import { ownFactor } from "./figures.ts";
import { amount, closedList, period, positiveAmount, shareNumber } from "./numbers.ts";

/** Contractual instruments of the market-based scope 2 figure, with the quality criteria each must meet. */

export const ENERGY_UNITS = ["kWh", "MWh", "GWh"] as const;

const criteria = section({
  conveys_rate: z.boolean().describe("1: it conveys the direct emission rate of the MWh"),
  sole_claim: z
    .boolean()
    .describe("2: it is the only instrument that carries this claim (a contract transfers all of them)"),
  retired: z.boolean().describe("3: tracked, and redeemed, retired or cancelled by or for the reporter"),
  vintage: z.int().min(1990).max(2100).describe("4: year the MWh were made"),
  market: z
    .string()
    .regex(/^[A-Z]{2}$/)
    .describe("5: country of the market, e.g. VN"),
}).describe("Quality criteria of the Scope 2 Guidance; an instrument that fails one counts for nothing");

/** What every instrument states, wherever it is written down. */
export const instrumentShape = {
  id: text("Name of the instrument"),
  kind: closedList(
    INSTRUMENT_KINDS,
    "certificate: energy attribute certificates; contract: DPPA, private line; supplier_rate: supplier's rate",
  ),
  site: text("Factory it is for; absent = all").exactOptional(),
  quantity: amount("Energy it covers").exactOptional(),
  unit: closedList(ENERGY_UNITS, "Unit of the quantity").prefault("MWh"),
  grid_dppa: section({
    generation_MWh: amount("Meter of the plant"),
    k: positiveAmount("Settlement factor of transmission"),
    k_pp: positiveAmount("Settlement factor of distribution"),
    share: shareNumber("Share of the plant that is ours").prefault(1),
  })
    .describe("Delivered over the grid under a direct contract, instead of a quantity")
    .exactOptional(),
  factor: ownFactor("Emission rate it conveys, e.g. {value: 0, unit: t/MWh}"),
  period: period().exactOptional(),
  criteria,
};

type WrittenAmount = {
  readonly quantity?: unknown;
  readonly grid_dppa?: unknown;
  readonly factor: WrittenFactor;
};

export function checkInstrument(written: WrittenAmount, context: z.core.$RefinementCtx): void {
  if ((written.quantity === undefined) === (written.grid_dppa === undefined)) {
    context.addIssue({ code: "custom", message: "needs either quantity or grid_dppa" });
  }
  if (energyPerUnit(written.factor.per) === null) {
    context.addIssue({
      code: "custom",
      path: ["factor", "unit"],
      message: `"${written.factor.stated.unit}" is not per energy (allowed: t/MWh, kg/kWh, kg/MWh)`,
    });
  }
}

export const instrumentSchema = section(instrumentShape).superRefine(checkInstrument);

export const residualMixSchema = ownFactor("Residual mix, where one is published; Viet Nam has none").refine(
  ({ per }) => energyPerUnit(per) !== null,
  { error: "is not per energy (allowed: t/MWh, kg/kWh, kg/MWh)" },
);

type WrittenFactor = z.output<typeof residualMixSchema>;

/** t CO2 per MWh. */
export function rateOf({ mgPer, per }: WrittenFactor): Fraction {
  const perMWh = over(MJ_OF.MWh, energyPerUnit(per) ?? MJ_OF.MWh);
  return times(times(mgPer.co2 ?? ZERO, perMWh), fraction(1n, 1_000_000_000n));
}

export function energyIn_MWh(quantity: Fraction, unit: (typeof ENERGY_UNITS)[number]): Fraction {
  return times(quantity, over(MJ_OF[unit], MJ_OF.MWh));
}

export function instrumentOf(written: z.output<typeof instrumentSchema>): Instrument {
  const { criteria: stated, grid_dppa } = written;
  const MWh =
    grid_dppa === undefined
      ? energyIn_MWh(written.quantity ?? ZERO, written.unit)
      : deliveredByGrid(grid_dppa.generation_MWh, grid_dppa.k, grid_dppa.k_pp, grid_dppa.share);
  return {
    id: written.id,
    kind: written.kind,
    site: written.site ?? null,
    MWh,
    t_per_MWh: rateOf(written.factor),
    source: written.factor.source,
    span: written.period ?? null,
    criteria: {
      conveysRate: stated.conveys_rate,
      soleClaim: stated.sole_claim,
      retired: stated.retired,
      vintage: stated.vintage,
      market: stated.market,
    },
  };
}

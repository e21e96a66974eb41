import { z } from "zod";
import { CARRIER_IDS, CARRIERS } from "../../core/emission/carriers.ts";
import type {
  CalorificValue,
  Constant,
  EmissionFactor,
  FullGwpSet,
  Refrigerant,
  RefusedValue,
} from "../../core/emission/factor.ts";
import { USE_IDS } from "../../core/emission/uses.ts";
import { type Finding, pathText } from "../explain.ts";
import { section, text } from "../fields.ts";
import { offer } from "../nearest.ts";
import { DECIMAL_TEXT, sameNumber, timesInteger } from "../notation/decimalText.ts";
import { parseLocalDate } from "../notation/localDate.ts";
import type { FileSpec } from "../parse.ts";
import { duplicates, field, list, type Named, textOf } from "../rules.ts";
import {
  blendsAreWhole,
  confidence,
  constantOf,
  constantSchema,
  constantsSaySomething,
  figure,
  localDate,
  refrigerantOf,
  refrigerantSchema,
  sourceIds,
} from "./factorParts.ts";

/**
 * Emission factors and global warming potentials as data, each with its document, validity and confidence. Figures are
 * quoted text, so that they stay as printed: `0.9130` is not `0.913` to a verifier.
 */

/** Units a factor may be stated in, what one unit of activity is, and the multiplier to mg per that unit. */
const STATED = {
  // t/MWh = 10^9 mg / 10^6 Wh
  "tCO2/MWh": { basis: "energy_Wh", multiplier: 1000 },
  // kg/TJ = 10^6 mg / 10^6 MJ
  "kg/TJ": { basis: "fuel_MJ", multiplier: 1 },
  // t/t = kg/kg = 10^6 mg/kg, kg/t = g/kg = 1000 mg/kg, g/t = kg/Gg = mg/kg
  "t/t": { basis: "mass_kg", multiplier: 1_000_000 },
  "kg/t": { basis: "mass_kg", multiplier: 1000 },
  "g/kg": { basis: "mass_kg", multiplier: 1000 },
  "g/t": { basis: "mass_kg", multiplier: 1 },
} as const;
const STATED_UNITS = Object.keys(STATED) as readonly (keyof typeof STATED)[];

const bounds = section({ lower: figure("Lower limit"), upper: figure("Upper limit") })
  .describe("95 % limits of the figure")
  .exactOptional();

const calorificValue = (description: string) =>
  section({
    value: figure("Net calorific value"),
    unit: z.enum(["MJ/Nm3", "GJ/t"]),
    source: text("Where it comes from"),
    confidence,
    sources: sourceIds,
    uncertainty_pct: z
      .number()
      .min(0)
      .max(1000)
      .describe("Half width of the 95 % interval; absent = not known")
      .exactOptional(),
    bounds,
  }).describe(description);

const factor = section({
  id: text("Name of the series, e.g. grid-vn"),
  version: text("Which of the series: a year or a publication"),
  carrier: z.enum(CARRIER_IDS).describe("What it is for"),
  use: z.enum(USE_IDS).describe("What the carrier is used for; absent = anything").exactOptional(),
  level: z
    .enum(["own", "ministry", "ipcc"])
    .describe("Who stands behind it; own goes before ministry, ministry before ipcc"),
  valid_from: localDate("First day of consumption it applies to, in Viet Nam"),
  valid_to: localDate("Day after the last one").nullable(),
  known_from: localDate("Day it was published").nullable(),
  unit: z.enum(STATED_UNITS).describe("Unit of the figures"),
  gases: section({
    co2: figure("Fossil carbon dioxide").exactOptional(),
    ch4: figure("Methane").exactOptional(),
    n2o: figure("Nitrous oxide").exactOptional(),
    co2_biogenic: figure("Carbon dioxide of biomass, a memo item").exactOptional(),
  }).describe("Figures as the document states them"),
  ncv: calorificValue("Fallback where the site has no certificate").exactOptional(),
  other_ncvs: z
    .array(calorificValue("The same in another unit"))
    .max(4)
    .describe("The same in other units: natural gas is sold by volume and by mass")
    .exactOptional(),
  density: section({
    value: figure("Density at 15 °C"),
    unit: z.literal("kg/L"),
    source: text("Where it comes from"),
    confidence,
    sources: sourceIds,
  })
    .describe("Fallback where the delivery note states none")
    .exactOptional(),
  bounds: section({ co2: bounds, ch4: bounds, n2o: bounds, co2_biogenic: bounds })
    .describe("95 % limits per gas, in the unit of the figures")
    .exactOptional(),
  document: text("The document that states it"),
  confidence,
  sources: sourceIds,
  uncertainty_pct: z
    .number()
    .min(0)
    .max(1000)
    .nullable()
    .describe("Half width of the 95 % interval; null = not published"),
});

const gwpSet = section({
  id: z.enum(["AR4", "AR5", "AR6"]).describe("Assessment report"),
  gwp: section({ co2: figure("CO2"), ch4: figure("Methane from combustion"), n2o: figure("N2O") }).describe(
    "kg CO2e per kg",
  ),
  ch4_fossil_fugitive: figure(
    "Methane that leaks from fossil sources, where the report tells it apart",
  ).exactOptional(),
  others: z.record(z.string().min(1), figure("kg CO2e per kg")).describe("Other gases").exactOptional(),
  document: text("The document that states it"),
  confidence,
  sources: sourceIds,
});

export const factorsSchema = section({
  publisher: text("Who published the figures"),
  gathered: localDate("Day they were gathered"),
  sources: z
    .record(z.string().min(1), section({ title: text("What it is"), url: text("Where it was read") }))
    .describe("Where the figures were read"),
  factors: z.array(factor).max(1000).describe("Emission factors").exactOptional(),
  gwp_sets: z.array(gwpSet).max(10).describe("Global warming potentials").exactOptional(),
  constants: z.array(constantSchema).max(1000).describe("Figures that are no emission factors").exactOptional(),
  refrigerants: z.array(refrigerantSchema).max(1000).describe("Blends and natural refrigerants").exactOptional(),
  refused: z
    .array(
      section({
        value: figure("The figure"),
        carrier: z.enum(CARRIER_IDS),
        why: text("Why it is no factor"),
        sources: sourceIds,
      }),
    )
    .max(1000)
    .describe("Figures that circulate and must never be used")
    .exactOptional(),
});

export type { FullGwpSet, RefusedValue };

export interface FactorFile {
  readonly publisher: string;
  readonly factors: readonly EmissionFactor[];
  readonly gwpSets: readonly FullGwpSet[];
  readonly constants: readonly Constant[];
  readonly refrigerants: readonly Refrigerant[];
  readonly refused: readonly RefusedValue[];
}

const PARTS = ["factors", "gwp_sets", "constants", "refrigerants"] as const;

type Written = z.output<typeof factorsSchema>;

type WrittenFactor = NonNullable<Written["factors"]>[number];

/** @param refusedElsewhere figures that other files of the folder refuse. */
export function factorsSpec(refusedElsewhere: readonly RefusedValue[] = []): FileSpec<FactorFile> {
  return {
    schema: factorsSchema.transform(factorFile),
    rules: [
      (document) => refusedFindings(document, refusedElsewhere),
      sourcesExist,
      factorsOnce,
      validityRuns,
      gasesGiven,
      usesFit,
      constantsSaySomething,
      blendsAreWhole,
      (document) =>
        PARTS.some((part) => list(field(document, part)).length > 0)
          ? []
          : [{ path: "factors", message: `is missing: a factor file has ${PARTS.join(" or ")}` }],
    ],
  };
}

function factorFile(written: Written): FactorFile {
  const cite = (ids: readonly string[]) =>
    ids.map((id) => `${written.sources[id]?.title ?? id}, ${written.sources[id]?.url ?? ""}`);
  return {
    publisher: written.publisher,
    factors: (written.factors ?? []).map((entry) => emissionFactor(entry, cite)),
    gwpSets: (written.gwp_sets ?? []).map((set) => ({
      id: set.id,
      gwp: set.gwp,
      ch4_fossil_fugitive: set.ch4_fossil_fugitive ?? set.gwp.ch4,
      others: set.others ?? {},
      document: set.document,
      sources: cite(set.sources),
      confidence: set.confidence,
    })),
    constants: (written.constants ?? []).map((entry) => constantOf(entry, cite)),
    refrigerants: (written.refrigerants ?? []).map((entry) => refrigerantOf(entry, cite)),
    refused: (written.refused ?? []).map(({ value, carrier, why }) => ({ value, carrier, why })),
  };
}

function emissionFactor(entry: WrittenFactor, cite: (ids: readonly string[]) => readonly string[]): EmissionFactor {
  const { basis, multiplier } = STATED[entry.unit];
  const perBasis = (value: string | undefined) => (value === undefined ? undefined : timesInteger(value, multiplier));
  const mg_per_basis = Object.fromEntries(
    Object.entries(entry.gases).map(([gas, value]) => [gas, perBasis(value)] as const),
  ) as EmissionFactor["mg_per_basis"];
  return {
    id: entry.id,
    version: entry.version,
    carrier: entry.carrier,
    level: entry.level,
    valid_from_ms: entry.valid_from,
    valid_to_ms: entry.valid_to,
    known_from_ms: entry.known_from,
    basis,
    mg_per_basis,
    stated: {
      value: entry.gases.co2 ?? entry.gases.co2_biogenic ?? Object.values(entry.gases)[0] ?? "0",
      unit: entry.unit,
    },
    ...(entry.use === undefined ? {} : { use: entry.use }),
    ...(entry.ncv === undefined ? {} : { ncv: ncvOf(entry.ncv) }),
    ...(entry.other_ncvs === undefined ? {} : { otherNcvs: entry.other_ncvs.map(ncvOf) }),
    ...(entry.density === undefined ? {} : { density: densityOf(entry.density) }),
    ...(entry.bounds === undefined ? {} : { bounds: entry.bounds as NonNullable<EmissionFactor["bounds"]> }),
    document: entry.document,
    sources: cite(entry.sources),
    confidence: entry.confidence,
    uncertainty_pct: entry.uncertainty_pct,
  };
}

function ncvOf({ sources: _cited, ...ncv }: NonNullable<WrittenFactor["ncv"]>): CalorificValue {
  return ncv;
}

function densityOf({ sources: _cited, ...density }: NonNullable<WrittenFactor["density"]>) {
  return density;
}

/** Any gas of a factor that states a refused figure, in this file or in the caller's list. */
function refusedFindings(document: unknown, elsewhere: readonly RefusedValue[]): readonly Finding[] {
  const here = list(field(document, "refused")).flatMap((entry): RefusedValue[] => {
    const value = textOf(field(entry, "value"));
    const carrier = CARRIER_IDS.find((id) => id === field(entry, "carrier"));
    const why = textOf(field(entry, "why"));
    const usable = value !== undefined && DECIMAL_TEXT.test(value) && carrier !== undefined && why !== undefined;
    return usable ? [{ value, carrier, why }] : [];
  });
  return list(field(document, "factors")).flatMap((entry, f) => {
    const gases = field(entry, "gases");
    return Object.entries(typeof gases === "object" && gases !== null ? gases : {}).flatMap(
      ([gas, value]): Finding[] => {
        const stated = typeof value === "number" || typeof value === "string" ? String(value) : "";
        if (!DECIMAL_TEXT.test(stated)) return [];
        const refusal = [...here, ...elsewhere].find(
          (refused) => refused.carrier === field(entry, "carrier") && sameNumber(refused.value, stated),
        );
        return refusal === undefined
          ? []
          : [{ path: pathText(["factors", f, "gases", gas]), message: `${stated} must not be used: ${refusal.why}` }];
      },
    );
  });
}

function sourcesExist(document: unknown): readonly Finding[] {
  const sources = field(document, "sources");
  const known = typeof sources === "object" && sources !== null ? Object.keys(sources) : [];
  return ([...PARTS, "refused"] as const).flatMap((part) =>
    list(field(document, part)).flatMap((entry, e) =>
      list(field(entry, "sources")).flatMap((id, s): Finding[] =>
        typeof id !== "string" || known.includes(id)
          ? []
          : [{ path: pathText([part, e, "sources", s]), message: `no source "${id}" in this file${offer(id, known)}` }],
      ),
    ),
  );
}

function factorsOnce(document: unknown): readonly Finding[] {
  const entries = list(field(document, "factors")).flatMap((entry, f): Named[] => {
    const [id, version] = [textOf(field(entry, "id")), textOf(field(entry, "version"))];
    return id === undefined || version === undefined
      ? []
      : [{ name: `${id} ${version}`, path: ["factors", f, "version"] }];
  });
  return duplicates(entries, (name) => `factor "${name}"`);
}

/** Within one series, each day has at most one factor, and every validity runs forward. */
function validityRuns(document: unknown): readonly Finding[] {
  const spans = list(field(document, "factors")).flatMap((entry, f) => {
    const from = dateOf(field(entry, "valid_from"));
    const to = field(entry, "valid_to") === null ? Number.POSITIVE_INFINITY : dateOf(field(entry, "valid_to"));
    return from === undefined || to === undefined
      ? []
      : [{ f, from, to, id: field(entry, "id"), level: field(entry, "level") }];
  });
  return spans.flatMap((span, i): Finding[] => {
    const path = (key: string) => pathText(["factors", span.f, key]);
    if (span.to <= span.from) return [{ path: path("valid_to"), message: "must be later than valid_from" }];
    const other = spans
      .slice(0, i)
      .find((o) => o.id === span.id && o.level === span.level && o.from < span.to && span.from < o.to);
    return other === undefined
      ? []
      : [
          {
            path: path("valid_from"),
            message: `overlaps ${pathText(["factors", other.f])}: a day has one factor of a series`,
          },
        ];
  });
}

function dateOf(value: unknown): number | undefined {
  const date = parseLocalDate(textOf(value) ?? "");
  return date.ok ? date.value : undefined;
}

/** A use that the carrier does not have would never be asked for. */
function usesFit(document: unknown): readonly Finding[] {
  return list(field(document, "factors")).flatMap((entry, f): Finding[] => {
    const carrier = CARRIER_IDS.find((id) => id === field(entry, "carrier"));
    const use = textOf(field(entry, "use"));
    if (carrier === undefined || use === undefined || !USE_IDS.some((id) => id === use)) return [];
    const uses: readonly string[] = CARRIERS[carrier].uses;
    return uses.includes(use)
      ? []
      : [{ path: pathText(["factors", f, "use"]), message: `${carrier} is not used for "${use}"${offer(use, uses)}` }];
  });
}

function gasesGiven(document: unknown): readonly Finding[] {
  return list(field(document, "factors")).flatMap((entry, f): Finding[] => {
    const gases = field(entry, "gases");
    const empty = typeof gases === "object" && gases !== null && Object.keys(gases).length === 0;
    return empty
      ? [
          {
            path: pathText(["factors", f, "gases"]),
            message: "must not be empty (allowed: co2, ch4, n2o, co2_biogenic)",
          },
        ]
      : [];
  });
}

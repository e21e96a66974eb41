import { z } from "zod";
import { CARRIER_IDS, type CarrierId } from "../../core/emission/carriers.ts";
import type { EmissionFactor, GwpSet } from "../../core/emission/factor.ts";
import { type Finding, pathText } from "../explain.ts";
import { notation, section, shown, text } from "../fields.ts";
import { offer } from "../nearest.ts";
import { DECIMAL_TEXT, sameNumber, timesInteger } from "../notation/decimalText.ts";
import { parseLocalDate } from "../notation/localDate.ts";
import type { FileSpec } from "../parse.ts";
import { duplicates, field, list, type Named, textOf } from "../rules.ts";

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
} as const;
const STATED_UNITS = Object.keys(STATED) as readonly (keyof typeof STATED)[];

const CONFIDENCES = ["official", "secondary", "recalled"] as const;

const figure = (description: string) =>
  z
    .string({
      error: (issue) =>
        typeof issue.input === "number"
          ? `must be quoted, so that its digits stay as printed (did you mean "${issue.input}"?)`
          : undefined,
    })
    .regex(DECIMAL_TEXT, { error: (issue) => `${shown(issue.input)} is not a decimal number (allowed: e.g. "0.6592")` })
    .describe(description);

const localDate = (description: string) => notation(parseLocalDate, "a date such as 2023-01-01", description);
const confidence = z
  .enum(CONFIDENCES)
  .describe("official: seen in the document; secondary: quoted by others; recalled: from memory");
const sourceIds = z.array(z.string()).describe("Entries of `sources`");

const factor = section({
  id: text("Name of the series, e.g. grid-vn"),
  version: text("Which of the series: a year or a publication"),
  carrier: z.enum(CARRIER_IDS).describe("What it is for"),
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
  ncv: section({
    value: figure("Net calorific value"),
    unit: z.literal("MJ/Nm3"),
    source: text("Where it comes from"),
    confidence,
    sources: sourceIds,
  })
    .describe("Fallback where the site has no certificate")
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

/** A figure that must never be used, and why. */
export interface RefusedValue {
  readonly value: string;
  readonly carrier: CarrierId;
  readonly why: string;
}

/** A set with everything the report gives: other gases, and methane that leaks, which weighs more in AR6. */
export interface FullGwpSet extends GwpSet {
  readonly ch4_fossil_fugitive: string;
  readonly others: Readonly<Record<string, string>>;
  readonly document: string;
}

export interface FactorFile {
  readonly publisher: string;
  readonly factors: readonly EmissionFactor[];
  readonly gwpSets: readonly FullGwpSet[];
  readonly refused: readonly RefusedValue[];
}

type Written = z.output<typeof factorsSchema>;

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
      (document) =>
        list(field(document, "factors")).length + list(field(document, "gwp_sets")).length > 0
          ? []
          : [{ path: "factors", message: "is missing: a factor file has factors or gwp_sets" }],
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
    refused: (written.refused ?? []).map(({ value, carrier, why }) => ({ value, carrier, why })),
  };
}

function emissionFactor(
  entry: NonNullable<Written["factors"]>[number],
  cite: (ids: readonly string[]) => readonly string[],
): EmissionFactor {
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
    stated: { value: entry.gases.co2 ?? Object.values(entry.gases)[0] ?? "0", unit: entry.unit },
    ...(entry.ncv === undefined ? {} : { ncv: ncvOf(entry.ncv) }),
    document: entry.document,
    sources: cite(entry.sources),
    confidence: entry.confidence,
    uncertainty_pct: entry.uncertainty_pct,
  };
}

function ncvOf({ value, unit, source, confidence }: NonNullable<NonNullable<Written["factors"]>[number]["ncv"]>) {
  return { value, unit, source, confidence };
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
  return (["factors", "gwp_sets", "refused"] as const).flatMap((part) =>
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

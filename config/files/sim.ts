import { z } from "zod";
import { type Finding, pathText } from "../explain.ts";
import { notation, positive, section, text, wholeNumber } from "../fields.ts";
import { nearest, offer } from "../nearest.ts";
import { isLoopback, notLoopback } from "../notation/address.ts";
import { type BusUrl, parseBusUrl } from "../notation/busUrl.ts";
import type { Parsed } from "../notation/parsed.ts";
import { type FileSpec, isModelFile } from "../parse.ts";
import { duplicates, field, list, type Named, textOf } from "../rules.ts";
import type { ModelLookup } from "./agent.ts";
import { timeZone } from "./shared.ts";

/**
 * Simulated meters. The shapes and profiles are those of `hw-sim/simConfig.ts`, which this folder may not import; a test
 * holds the two lists together.
 */
export const SIM_ELECTRIC_SHAPES = [
  "two-shift",
  "three-shift",
  "continuous",
  "office",
  "furnace-batch",
  "compressor",
  "solar",
] as const;
export const SIM_FLOW_SHAPES = ["gas-boiler", "process-water"] as const;
export const SIM_PROFILES = ["steel"] as const;
export const SIM_PROFILE_COLUMNS = ["energy_kwh"] as const;

type Load =
  | { readonly csv: "steel"; readonly column: "energy_kwh"; readonly repeat: "weekly" }
  | { readonly shape: (typeof SIM_ELECTRIC_SHAPES)[number]; readonly peak_W: number; readonly seed?: number }
  | { readonly shape: (typeof SIM_FLOW_SHAPES)[number]; readonly peak_m3_per_h: number; readonly seed?: number }
  | { readonly ref: string }
  | { readonly sum: readonly Load[]; readonly minus?: readonly Load[] }
  | { readonly share: Load; readonly percent: number; readonly vary_percent?: number };

const seed = wholeNumber(0, 2 ** 32 - 1, "Everything random follows from this number");

const load: z.ZodType<Load> = z.lazy(() =>
  z.union([
    section({
      csv: z.enum(SIM_PROFILES).describe("Name of a profile of measured data"),
      column: z.enum(SIM_PROFILE_COLUMNS).describe("Column of the profile"),
      repeat: z.enum(["weekly"]).describe("weekly: over and over, weekdays kept"),
    }),
    section({
      shape: z.enum(SIM_ELECTRIC_SHAPES).describe("How an electric load runs"),
      peak_W: positive("Upper end of ordinary operation, W"),
      seed: seed.exactOptional(),
    }),
    section({
      shape: z.enum(SIM_FLOW_SHAPES).describe("How gas or water flows"),
      peak_m3_per_h: positive("Upper end of ordinary flow: normal m³/h of gas, m³/h of water"),
      seed: seed.exactOptional(),
    }),
    section({ ref: text("Name of an entry of `loads`") }),
    section({
      sum: z.array(load).min(1).max(100).readonly().describe("Loads that add up"),
      minus: z.array(load).max(100).readonly().describe("Loads taken off, e.g. solar").exactOptional(),
    }),
    section({
      share: load,
      percent: z.number().positive().max(100).describe("Part of that load, %"),
      vary_percent: z.number().min(0).max(100).describe("How much the part wanders, %").exactOptional(),
    }),
  ]),
);

/** Where a line of simulated meters answers: a bus address without a unit. */
type SimListen<Url extends BusUrl = BusUrl> = Url extends BusUrl ? Omit<Url, "unit"> : never;

const listen = notation(
  (written): Parsed<SimListen> => {
    const url = parseBusUrl(written);
    if (!url.ok) return url;
    if (url.value.unit !== null)
      return { ok: false, problem: "unit= belongs to the meters of this line, not to its address" };
    if (url.value.kind !== "rtu" && !isLoopback(url.value.host)) return notLoopback(url.value.host);
    const { unit: _none, ...place } = url.value;
    return { ok: true, value: place };
  },
  "an address such as tcp://127.0.0.1:5020",
  "Where the simulated meters of this line answer",
);

export const simSchema = section({
  seed: seed.prefault(1),
  time_zone: timeZone(),
  loads: z.record(z.string().min(1), load).describe("Loads that several meters refer to").exactOptional(),
  lines: z
    .array(
      section({
        listen,
        meters: z
          .array(
            section({
              unit: wholeNumber(1, 255, "Modbus unit number"),
              model: text("Id of the device library"),
              load: load.describe("What the meter measures"),
              name: text("Name in the truth file").exactOptional(),
              start: z.number().min(0).describe("What the main counter showed at `since`: kWh, or m³").exactOptional(),
              since: z
                .string()
                .regex(/^\d{4}-\d{2}-\d{2}$/, {
                  error: (issue) => `"${issue.input}" is not a date (allowed: year-month-day, e.g. 2018-01-01)`,
                })
                .describe("Day the meter was put in")
                .exactOptional(),
              m3_per_count: positive("Volume of one count of a gas meter, m³").exactOptional(),
              ct_ratio: positive("Registers show secondary values: divided by this").exactOptional(),
              nominal_V: positive("Phase to neutral, V").exactOptional(),
              rated_power_W: positive("Full load, W").exactOptional(),
              sunspec_common_length: z.literal([65, 66]).describe("Length of SunSpec model 1").exactOptional(),
            }).readonly(),
          )
          .min(1)
          .max(247)
          .readonly()
          .describe("Meters of this line"),
      }).readonly(),
    )
    .min(1)
    .max(100)
    .readonly()
    .describe("TCP ports and serial lines"),
}).readonly();

export type SimConfig = z.output<typeof simSchema>;

export function simSpec(models: ModelLookup): FileSpec<SimConfig> {
  return {
    schema: simSchema,
    rules: [linesOnce, unitsOnce, refsExist, (document) => modelsAreKnown(document, models)],
  };
}

function linesOnce(document: unknown): readonly Finding[] {
  const lines = list(field(document, "lines")).flatMap((line, l): Named[] => {
    const name = textOf(field(line, "listen"));
    return name === undefined || /:0$/.test(name) ? [] : [{ name, path: ["lines", l, "listen"] }];
  });
  return duplicates(lines, (name) => name);
}

function unitsOnce(document: unknown): readonly Finding[] {
  return list(field(document, "lines")).flatMap((line, l) => {
    const units = list(field(line, "meters")).flatMap((meter, m): Named[] => {
      const unit = field(meter, "unit");
      return typeof unit === "number" ? [{ name: String(unit), path: ["lines", l, "meters", m, "unit"] }] : [];
    });
    return duplicates(units, (unit) => `unit ${unit} of this line`);
  });
}

function refsExist(document: unknown): readonly Finding[] {
  const loads = field(document, "loads");
  const names = typeof loads === "object" && loads !== null ? Object.keys(loads) : [];
  return refs(document, []).flatMap(({ name, path }): Finding[] =>
    names.includes(name) ? [] : [{ path: pathText(path), message: `no load "${name}" in loads${offer(name, names)}` }],
  );
}

function refs(value: unknown, path: readonly PropertyKey[]): readonly Named[] {
  if (Array.isArray(value)) return value.flatMap((entry, i) => refs(entry, [...path, i]));
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, entry]) =>
    key === "ref" && typeof entry === "string" ? [{ name: entry, path: [...path, key] }] : refs(entry, [...path, key]),
  );
}

function modelsAreKnown(document: unknown, models: ModelLookup): readonly Finding[] {
  return list(field(document, "lines")).flatMap((line, l) =>
    list(field(line, "meters")).flatMap((meter, m): Finding[] => {
      const model = textOf(field(meter, "model"));
      if (model === undefined || isModelFile(model) || models.find(model) !== undefined) return [];
      const near = nearest(model, models.ids);
      const hint = near === undefined ? "see `khuxanh models` for all of them" : `did you mean ${near}?`;
      return [
        {
          path: pathText(["lines", l, "meters", m, "model"]),
          message: `no model "${model}" in the device library (${hint})`,
          code: "MODEL_UNKNOWN",
        },
      ];
    }),
  );
}

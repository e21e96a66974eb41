import { z } from "zod";
import { type Finding, pathText } from "../explain.ts";
import { notation, positive, section, text, wholeNumber } from "../fields.ts";
import { nearest, offer } from "../nearest.ts";
import { isLoopback, notLoopback } from "../notation/address.ts";
import { type BusUrl, parseBusUrl } from "../notation/busUrl.ts";
import type { Parsed } from "../notation/parsed.ts";
import { type FileSpec, isModelFile } from "../parse.ts";
import { duplicates, field, list, type Named, textOf } from "../rules.ts";
import type { ModelLookup } from "./agentRules.ts";
import { listenAddress, timeZone } from "./shared.ts";
import { faultFindings, faults } from "./simFaults.ts";
import { load, seed } from "./simLoads.ts";

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
  holidays: z
    .array(z.string())
    .max(400)
    .readonly()
    .describe("Days on which day-type loads rest: MM-DD, YYYY-MM-DD, YYYY-MM-DD..YYYY-MM-DD")
    .exactOptional(),
  lines: z
    .array(
      section({
        listen,
        meters: z
          .array(
            section({
              unit: wholeNumber(1, 255, "Modbus unit number"),
              model: text("Id of the device library"),
              load: load.describe("What the meter measures beside its sub-meters").exactOptional(),
              name: text("Name in the truth file, and what `parent` refers to").exactOptional(),
              parent: text("Name of the meter this one is fed through: that one measures it too").exactOptional(),
              losses: section({
                percent: z
                  .number()
                  .min(0)
                  .max(100)
                  .describe("Part of what sub-meters and load draw, %, in tenths")
                  .exactOptional(),
                fixed_W: z.number().min(0).max(1e9).describe("Lost day and night, W").exactOptional(),
                fixed_m3_per_h: z.number().min(0).max(1e6).describe("Lost day and night, m³/h").exactOptional(),
              })
                .readonly()
                .describe("Lost between this meter and its sub-meters")
                .exactOptional(),
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
              phase_percent: z
                .tuple([z.number().min(0).max(100), z.number().min(0).max(100), z.number().min(0).max(100)])
                .readonly()
                .describe("Parts of the load on L1, L2, L3, %, 100 in all (default about a third each)")
                .exactOptional(),
              sag_percent: z
                .number()
                .min(0)
                .max(50)
                .describe("Voltage lost at full load, % (default 2)")
                .exactOptional(),
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
  faults: faults.exactOptional(),
  control: listenAddress("Where faults are commanded while the simulator runs").exactOptional(),
}).readonly();

export type SimConfig = z.output<typeof simSchema>;

export function simSpec(models: ModelLookup): FileSpec<SimConfig> {
  return {
    schema: simSchema,
    rules: [
      linesOnce,
      unitsOnce,
      serialUnits,
      refsExist,
      parentsExist,
      faultFindings,
      (document) => modelsAreKnown(document, models),
    ],
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

/** Source: MODBUS over Serial Line V1.02 §2.2. */
const SERIAL_UNIT_MAX = 247;

function serialUnits(document: unknown): readonly Finding[] {
  return list(field(document, "lines")).flatMap((line, l) => {
    if (!textOf(field(line, "listen"))?.startsWith("rtu")) return [];
    return list(field(line, "meters")).flatMap((meter, m): Finding[] => {
      const unit = field(meter, "unit");
      if (typeof unit !== "number" || unit <= SERIAL_UNIT_MAX || unit > 255) return [];
      const message = `${unit} cannot be on a serial line (allowed: 1 to ${SERIAL_UNIT_MAX})`;
      return [{ path: pathText(["lines", l, "meters", m, "unit"]), message }];
    });
  });
}

/** Every meter has a load of its own or sub-meters, and every parent is the name of one meter. */
function parentsExist(document: unknown): readonly Finding[] {
  const meters = list(field(document, "lines")).flatMap((line, l) =>
    list(field(line, "meters")).map((meter, m) => ({ meter, path: ["lines", l, "meters", m] as const })),
  );
  const names = meters.flatMap(({ meter }) => textOf(field(meter, "name")) ?? []);
  const parents = new Set(meters.flatMap(({ meter }) => textOf(field(meter, "parent")) ?? []));
  return meters.flatMap(({ meter, path }): Finding[] => {
    const [name, parent] = [textOf(field(meter, "name")), textOf(field(meter, "parent"))];
    const found: Finding[] = [];
    if (parent !== undefined && !names.includes(parent)) {
      found.push({ path: pathText([...path, "parent"]), message: `no meter named "${parent}"${offer(parent, names)}` });
    } else if (parent !== undefined && names.filter((one) => one === parent).length > 1) {
      found.push({ path: pathText([...path, "parent"]), message: `"${parent}" is the name of more than one meter` });
    }
    if (field(meter, "load") === undefined && (name === undefined || !parents.has(name))) {
      found.push({
        path: pathText([...path, "load"]),
        message: "is missing, and no meter names this one as its parent",
      });
    }
    return found;
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

import { z } from "zod";
import type { Activity } from "../../core/accounting/activity.ts";
import type { Instrument } from "../../core/accounting/market.ts";
import { GWP_SET_IDS } from "../../core/emission/factor.ts";
import { type Finding, pathText } from "../explain.ts";
import { section, text } from "../fields.ts";
import type { FileSpec } from "../parse.ts";
import { duplicates, field, list, type Named, textOf } from "../rules.ts";
import { activityOf, activitySchema } from "./calc/activity.ts";
import { instrumentOf, instrumentSchema, rateOf, residualMixSchema } from "./calc/market.ts";
import { closedList, localDate, period } from "./calc/numbers.ts";
import { SECTIONS } from "./calc/sections.ts";

/** A calculation without meters: stated activities of a period, and what is to be worked out of them. */
export const calcSchema = section({
  period: period().exactOptional(),
  gwp: closedList(GWP_SET_IDS, "Set of warming potentials; never mixed").prefault("AR5"),
  as_known_at: localDate("Use only factors that were published by this day; absent = today").exactOptional(),
  factors_dir: text("Folder of factor files of one's own, relative to this file").exactOptional(),
  activities: z.array(activitySchema).max(10_000).describe("What was used").prefault([]),
  instruments: z
    .array(instrumentSchema)
    .max(1000)
    .describe("Certificates and contracts, for the market-based figure")
    .prefault([]),
  residual_mix: residualMixSchema.exactOptional(),
  ...SECTIONS,
});

type Written = z.output<typeof calcSchema>;

export interface CalcConfig {
  readonly gwp: Written["gwp"];
  readonly asKnownAt_ms: number | null;
  /** Factor files beside the built-in ones; null = none. */
  readonly factorsDir: string | null;
  readonly activities: readonly Activity[];
  readonly instruments: readonly Instrument[];
  readonly residualMix: { readonly t_per_MWh: ReturnType<typeof rateOf>; readonly source: string } | null;
  /** The other sections, as their schemas give them. */
  readonly sections: Readonly<Pick<Written, keyof typeof SECTIONS>>;
}

export const calcSpec: FileSpec<CalcConfig> = {
  schema: calcSchema.transform(calcConfig),
  rules: [idsOnce, periodsKnown, somethingToDo],
};

function calcConfig(written: Written): CalcConfig {
  const { period: usual, gwp, as_known_at, factors_dir, activities, instruments, residual_mix, ...sections } = written;
  return {
    gwp,
    asKnownAt_ms: as_known_at ?? null,
    factorsDir: factors_dir ?? null,
    activities: activities.flatMap((one) => activityOf(one, usual ?? null) ?? []),
    instruments: instruments.map(instrumentOf),
    residualMix: residual_mix === undefined ? null : { t_per_MWh: rateOf(residual_mix), source: residual_mix.source },
    sections,
  };
}

function idsOnce(document: unknown): readonly Finding[] {
  return (["activities", "instruments"] as const).flatMap((part) => {
    const named = list(field(document, part)).flatMap((entry, at): Named[] => {
      const name = textOf(field(entry, "id"));
      return name === undefined ? [] : [{ name, path: [part, at, "id"] }];
    });
    return duplicates(named, (name) => `id "${name}"`);
  });
}

function periodsKnown(document: unknown): readonly Finding[] {
  if (field(document, "period") !== undefined) return [];
  return list(field(document, "activities")).flatMap((entry, at): Finding[] =>
    field(entry, "period") === undefined
      ? [{ path: pathText(["activities", at, "period"]), message: "is missing: the file has no period of its own" }]
      : [],
  );
}

function somethingToDo(document: unknown): readonly Finding[] {
  const keys = ["activities", ...Object.keys(SECTIONS)];
  const has = keys.some((key) => {
    const value = field(document, key);
    return Array.isArray(value) ? value.length > 0 : value !== undefined;
  });
  return has ? [] : [{ path: "(file)", message: `has nothing to calculate (allowed: ${keys.join(", ")})` }];
}

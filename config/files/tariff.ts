import { z } from "zod";
import type { TariffTable, TariffWindow } from "../../core/performance/tariff.ts";
import type { EpochMs } from "../../core/reading/reading.ts";
import { type Finding, pathText } from "../explain.ts";
import { notation, section, text } from "../fields.ts";
import { parseLocalDate } from "../notation/localDate.ts";
import { type Parsed, parsed, wrong } from "../notation/parsed.ts";
import type { FileSpec } from "../parse.ts";
import { duplicates, field, list, type Named, textOf } from "../rules.ts";

/**
 * Tariffs as data: which hours are peak and off-peak, and what a kilowatt-hour costs in each, with document and validity.
 * The hours and the prices are separate lists, because they change by separate decisions.
 */
const localDate = (description: string) => notation(parseLocalDate, "a date such as 2025-05-10", description);
const DAYS = { all: [0, 1, 2, 3, 4, 5, 6], "mon-sat": [1, 2, 3, 4, 5, 6], "mon-fri": [1, 2, 3, 4, 5] } as const;

const about = {
  valid_from: localDate("First day it applies to, in Viet Nam; null = not known, taken as always").nullable(),
  valid_to: localDate("Day after the last one").nullable(),
  document: text("The document that states it"),
  confidence: z.enum(["official", "secondary", "recalled"]).describe("How well the document was seen"),
  sources: z.array(z.string()).describe("Entries of `sources`"),
};

const bandHours = section({
  days: z.enum(Object.keys(DAYS) as (keyof typeof DAYS)[]).describe("Days on which the hours begin"),
  hours: z
    .array(notation(parseHours, "hours such as 17:00-20:00", "From and to, local time; past midnight is allowed"))
    .max(10)
    .describe("Half-open: the first minute belongs to the band, the last does not"),
});

const price = z.number().min(0).describe("VND per kWh, without VAT");

export const tariffSchema = section({
  publisher: text("Who published the figures"),
  gathered: localDate("Day they were gathered"),
  sources: z
    .record(z.string().min(1), section({ title: text("What it is"), url: text("Where it was read") }))
    .describe("Where the figures were read"),
  windows: z
    .array(section({ id: text("Name of the set of hours"), peak: bandHours, offpeak: bandHours, ...about }))
    .max(100)
    .describe("Hours of the bands; the rest of the day is normal"),
  prices: z
    .array(
      section({
        id: text("Name of the price list"),
        offpeak: price,
        normal: price,
        peak: price,
        capacity: z.number().min(0).nullable().describe("VND per kW of maximum demand and month; null = none"),
        ...about,
      }),
    )
    .max(1000)
    .describe("Prices by band"),
});

export interface TariffPrices {
  readonly id: string;
  readonly valid_from_ms: EpochMs;
  readonly valid_to_ms: EpochMs | null;
  readonly prices_VND_per_kWh: Readonly<Record<"offpeak" | "normal" | "peak", number>>;
  readonly capacity_VND_per_kW: number | null;
  readonly document: string;
  readonly confidence: "official" | "secondary" | "recalled";
}

export interface TariffFile {
  readonly tables: readonly TariffTable[];
  readonly prices: readonly TariffPrices[];
}

type Written = z.output<typeof tariffSchema>;

export function tariffSpec(): FileSpec<TariffFile> {
  return { schema: tariffSchema.transform(tariffFile), rules: [idsOnce, sourcesExist] };
}

function tariffFile({ windows, prices }: Written): TariffFile {
  return {
    tables: windows.map(({ id, peak, offpeak, valid_from, valid_to, document }) => ({
      id,
      valid_from_ms: valid_from ?? Number.NEGATIVE_INFINITY,
      valid_to_ms: valid_to,
      windows: [...windowsOf("peak", peak), ...windowsOf("offpeak", offpeak)],
      document,
    })),
    prices: prices.map(({ id, valid_from, valid_to, capacity, document, confidence, offpeak, normal, peak }) => ({
      id,
      valid_from_ms: valid_from ?? Number.NEGATIVE_INFINITY,
      valid_to_ms: valid_to,
      prices_VND_per_kWh: { offpeak, normal, peak },
      capacity_VND_per_kW: capacity,
      document,
      confidence,
    })),
  };
}

function windowsOf(band: TariffWindow["band"], { days, hours }: z.output<typeof bandHours>): readonly TariffWindow[] {
  return hours.map((span) => ({ band, ...span, weekdays: DAYS[days] }));
}

function parseHours(written: string): Parsed<{ readonly from_min: number; readonly to_min: number }> {
  const match = /^(\d{2}):(\d{2})-(\d{2}):(\d{2})$/.exec(written);
  const [from_min, to_min] = [minutes(match?.[1], match?.[2]), minutes(match?.[3], match?.[4])];
  if (from_min === null || to_min === null || from_min >= 1440) {
    return wrong(`"${written}" is no span of hours (allowed: e.g. 17:00-20:00, 22:00-04:00)`);
  }
  return from_min === to_min ? wrong(`"${written}" ends where it begins`) : parsed({ from_min, to_min });
}

/** 0 … 1440; null for what is no time of day. */
function minutes(hour: string | undefined, minute: string | undefined): number | null {
  const total = Number(hour) * 60 + Number(minute);
  return Number(minute) < 60 && total <= 1440 ? total : null;
}

function idsOnce(document: unknown): readonly Finding[] {
  return (["windows", "prices"] as const).flatMap((part) => {
    const named = list(field(document, part)).flatMap((entry, e): Named[] => {
      const [id, from] = [textOf(field(entry, "id")), String(field(entry, "valid_from"))];
      return id === undefined ? [] : [{ name: `${id} ${from}`, path: [part, e, "id"] }];
    });
    return duplicates(named, (name) => `"${name}"`);
  });
}

function sourcesExist(document: unknown): readonly Finding[] {
  const sources = field(document, "sources");
  const known = typeof sources === "object" && sources !== null ? Object.keys(sources) : [];
  return (["windows", "prices"] as const).flatMap((part) =>
    list(field(document, part)).flatMap((entry, e) =>
      list(field(entry, "sources")).flatMap((id, s): Finding[] =>
        typeof id !== "string" || known.includes(id)
          ? []
          : [{ path: pathText([part, e, "sources", s]), message: `no source "${id}" in this file` }],
      ),
    ),
  );
}

import { z } from "zod";
import { type Finding, pathText } from "../explain.ts";
import { section, text } from "../fields.ts";
import type { FileSpec } from "../parse.ts";
import { duplicates, field, list, type Named, textOf } from "../rules.ts";
import {
  checkInstrument,
  ENERGY_UNITS,
  energyIn_MWh,
  instrumentOf,
  instrumentShape,
  rateOf,
  residualMixSchema,
} from "./calc/market.ts";
import { closedList, localDate, period, positiveAmount } from "./calc/numbers.ts";

/**
 * Contractual instruments of the zone's factories (`instruments_file` of collector.yaml): what the market-based scope 2
 * figure is made of (methods §3). Each belongs to one factory and one period, and comes with its document.
 */
const site = () => text("Id of the factory it is for, as in collector.yaml");
const knownFrom = () =>
  localDate("Day it became known: a figure asked for as known before leaves it out; absent = always").exactOptional();

const instrument = section({
  ...instrumentShape,
  site: site(),
  period: period(),
  document: text("Where it is written: statement of cancellation, contract, number and date"),
  known_from: knownFrom(),
})
  .superRefine(checkInstrument)
  .transform(({ document, known_from, ...written }) => ({
    ...instrumentOf(written),
    site: written.site,
    span: written.period,
    source: document,
    knownFrom_ms: known_from ?? null,
  }))
  .readonly();

const certificatesSold = section({
  site: site(),
  quantity: positiveAmount("Own generation used on site whose certificates were sold"),
  unit: closedList(ENERGY_UNITS, "Unit of the quantity").prefault("MWh"),
  period: period(),
  document: text("Where it is written"),
  known_from: knownFrom(),
})
  .transform(({ site, quantity, unit, period: span, document, known_from }) => ({
    site,
    MWh: energyIn_MWh(quantity, unit),
    span,
    source: document,
    knownFrom_ms: known_from ?? null,
  }))
  .readonly();

export const instrumentsSchema = section({
  instruments: z
    .array(instrument)
    .max(10_000)
    .readonly()
    .describe("Certificates, direct contracts, supplier's rates")
    .prefault([]),
  certificates_sold: z
    .array(certificatesSold)
    .max(10_000)
    .readonly()
    .describe("Own generation whose certificates went to others: grid electricity in the market-based figure")
    .prefault([]),
  residual_mix: section({ factor: residualMixSchema, period: period() })
    .transform(({ factor, period: span }) => ({ t_per_MWh: rateOf(factor), source: factor.source, span }))
    .readonly()
    .describe("Only where one is published; Viet Nam has none, and the answers say so")
    .exactOptional(),
})
  .transform(({ instruments, certificates_sold, residual_mix }) => ({
    instruments,
    certificatesSold: certificates_sold,
    residualMix: residual_mix ?? null,
  }))
  .readonly();

export type InstrumentsFile = z.output<typeof instrumentsSchema>;
export type SiteInstrument = InstrumentsFile["instruments"][number];
export type CertificatesSold = InstrumentsFile["certificatesSold"][number];

export const instrumentsSpec: FileSpec<InstrumentsFile> = { schema: instrumentsSchema, rules: [idsOnce] };

/** The same certificate written twice would count twice. */
function idsOnce(document: unknown): readonly Finding[] {
  const instruments = list(field(document, "instruments")).flatMap((entry, at): Named[] => {
    const name = textOf(field(entry, "id"));
    return name === undefined ? [] : [{ name, path: ["instruments", at, "id"] }];
  });
  return duplicates(instruments, (name) => `instrument "${name}"`);
}

/** Sites that the zone does not have: their instruments would cover nothing. */
export function unknownSites(file: InstrumentsFile, sites: readonly string[]): readonly Finding[] {
  const of = (key: string, entries: readonly { readonly site: string }[]): readonly Finding[] =>
    entries.flatMap(({ site: named }, at) =>
      sites.includes(named)
        ? []
        : [
            {
              path: pathText([key, at, "site"]),
              message: `"${named}" is no site of this zone (allowed: ${sites.join(", ")})`,
            },
          ],
    );
  return [...of("instruments", file.instruments), ...of("certificates_sold", file.certificatesSold)];
}

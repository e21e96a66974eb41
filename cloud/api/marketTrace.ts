import { joinParts, type MarketPart } from "../../core/accounting/marketBook.ts";
import type { EmissionFactor } from "../../core/emission/factor.ts";
import { fractionText } from "../../core/emission/fraction.ts";
import type { Bucket } from "../../core/interval/calendar.ts";
import type { CatalogMeter } from "./catalogue.ts";
import { co2e_kg, type EmissionBooks, marketParts } from "./emissions.ts";
import { factorKey, findFactor } from "./factorUse.ts";
import type { Trace } from "./schemas.ts";
import { tonnes } from "./tonnes.ts";

/**
 * One line per source of the electricity behind a market-based figure: each instrument with its rate and document, then what
 * none covers. The books round each day, meter and source to the milligram.
 */
export function marketFormulas(
  factors: readonly EmissionFactor[],
  meters: readonly CatalogMeter[],
  pieces: readonly Bucket[],
  books: EmissionBooks,
): readonly Trace["formulas"][number][] {
  const byFactor = new Map<string, { factor: EmissionFactor | null; parts: MarketPart[] }>();
  for (const meter of meters) {
    for (const at of pieces.keys()) {
      const [first] = books.emissions.get(meter.id)?.get(at) ?? [];
      for (const part of marketParts(books, meter, at) ?? []) {
        const isOfGrid = part.source.kind === "grid average" && first !== undefined;
        const key = isOfGrid ? factorKey(first) : "";
        const held = byFactor.get(key) ?? { factor: isOfGrid ? findFactor(factors, first) : null, parts: [] };
        held.parts.push(part);
        byFactor.set(key, held);
      }
    }
  }
  return [...byFactor.values()].flatMap(({ factor, parts }) =>
    joinParts(parts)
      .filter(({ MWh }) => MWh.n !== 0n)
      .map((part) => ({ scope: 2, text: lineOf(part, factor, books) })),
  );
}

function lineOf(part: MarketPart, factor: EmissionFactor | null, { gwp }: EmissionBooks): string {
  const result = `${tonnes(co2e_kg(part.mg, gwp))} t CO2e`;
  const energy = `${fractionText(part.MWh)} MWh${part.isSold ? " of own generation whose certificates were sold" : ""}`;
  const { source } = part;
  if (source.kind === "instrument") {
    const { instrument } = source;
    const by = `${instrument.kind.replace("_", " ")} ${instrument.id}: ${instrument.source}`;
    return `${energy} × ${fractionText(instrument.t_per_MWh)} tCO2/MWh = ${result} (${by})`;
  }
  if (source.kind === "residual mix") {
    const { t_per_MWh, source: document } = source.mix;
    return `${energy} × ${fractionText(t_per_MWh)} tCO2/MWh = ${result} (not covered, residual mix: ${document})`;
  }
  const rate = factor === null ? "the grid's average" : `${factor.stated.value} ${factor.stated.unit}`;
  const note = part.isSold ? "grid average" : "not covered, grid average: no residual mix is published";
  return `${energy} × ${rate} = ${result} (${note})`;
}

import { QUANTITIES, type QuantityId } from "../../core/units/quantities.ts";
import type { BookInterval } from "./books.ts";

/** GET of a path of the collector's API, parsed. */
export type GetJson = (path: string) => Promise<unknown>;

interface MeterAnswer {
  readonly id: string;
  readonly device: string;
  readonly site: string | null;
}

interface EnergyAnswer {
  readonly groups: readonly {
    readonly meter: string | null;
    readonly points: readonly { readonly from: string; readonly to: string; readonly value: number | null }[];
  }[];
}

interface CompletenessAnswer {
  readonly meters: readonly {
    readonly meter: string;
    readonly quantity: string;
    readonly points: readonly {
      readonly coverage_pct: number | null;
      readonly held: number;
      readonly incomplete: number;
      readonly unknown: number;
      readonly causes: Readonly<Record<string, number>>;
    }[];
  }[];
}

/**
 * The books as `/api/v1/energy` and `/api/v1/completeness` tell them: the main counter of every meter, in quarter hours. No
 * evidence travels there, so boundaries are believed to within a poll; a tick is the greatest step that all figures share.
 * @param names names of meters in the truth. A meter of the collector has one of them as its id (`gateway/device`), as
 * `site/device`, or as its device if no other meter is called so; others keep their id.
 */
export async function booksOfApi(
  get: GetJson,
  names: readonly string[],
  period: { readonly from_ms: number; readonly to_ms: number },
): Promise<readonly BookInterval[]> {
  const [from, to] = [period.from_ms, period.to_ms].map((at_ms) => new Date(at_ms).toISOString());
  const asked = `from=${from}&to=${to}&step=15min`;
  const meters = (await get("/api/v1/meters")) as readonly MeterAnswer[];
  const energy = (await get(`/api/v1/energy?by=meter&${asked}`)) as EnergyAnswer;
  const completeness = (await get(`/api/v1/completeness?${asked}`)) as CompletenessAnswer;
  return completeness.meters.flatMap(({ meter, quantity, points }) => {
    const figures = energy.groups.find((group) => group.meter === meter)?.points ?? [];
    const name = nameOf(meter, meters, names);
    const rows = points.flatMap((point, at): readonly Row[] => {
      const figure = figures[at];
      if (figure === undefined || point.held === 0) return [];
      return [{ ...figure, ...point }];
    });
    return bookRows(name, quantity as QuantityId, rows);
  });
}

type Row = EnergyAnswer["groups"][number]["points"][number] & CompletenessAnswer["meters"][number]["points"][number];

function bookRows(meter: string, quantity: QuantityId, rows: readonly Row[]): readonly BookInterval[] {
  const { unit } = QUANTITIES[quantity];
  const isEnergy = unit.startsWith("k");
  const thousandths = rows.map(({ value }) => (value === null ? null : BigInt(Math.round(value * 1000))));
  const step = thousandths.reduce((a: bigint, b) => greatestCommon(a, b ?? 0n), 0n) || 1n;
  const amount = isEnergy ? `${step}` : `${Number(step) / 1000}`;
  return rows.map((row, at) => {
    const amountOf = thousandths[at] ?? null;
    const isUnknown = row.unknown > 0 || amountOf === null;
    const isWhole = row.incomplete === 0 && !isUnknown;
    return {
      meter,
      quantity,
      from_ms: Date.parse(row.from),
      to_ms: Date.parse(row.to),
      tick: { amount, unit: isEnergy ? (unit.slice(1) as typeof unit) : unit },
      ticks: isUnknown ? null : amountOf / step,
      flag: !isWhole ? "X" : row.coverage_pct === 100 ? "M" : "S",
      cause: Object.keys(row.causes).find((cause) => cause !== "unknown") ?? null,
      opening: null,
      closing: null,
    };
  });
}

function nameOf(id: string, meters: readonly MeterAnswer[], names: readonly string[]): string {
  const meter = meters.find((one) => one.id === id);
  if (meter === undefined || names.includes(id)) return id;
  const bySite = `${meter.site}/${meter.device}`;
  if (names.includes(bySite)) return bySite;
  const isOnly = meters.filter((one) => one.device === meter.device).length === 1;
  return isOnly && names.includes(meter.device) ? meter.device : id;
}

function greatestCommon(a: bigint, b: bigint): bigint {
  let [x, y] = [a, b];
  while (y !== 0n) [x, y] = [y, x % y];
  return x;
}

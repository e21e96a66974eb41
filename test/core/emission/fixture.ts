import type { Emitter } from "../../../core/emission/emission.ts";
import type { EmissionFactor } from "../../../core/emission/factor.ts";
import type { Interval } from "../../../core/interval/interval.ts";

export const ms = (iso: string): number => Date.parse(iso);

export function factor(parts: Partial<EmissionFactor> = {}): EmissionFactor {
  return {
    id: "grid",
    version: "1",
    carrier: "electricity",
    level: "ministry",
    valid_from_ms: ms("2023-01-01T00:00:00+07:00"),
    valid_to_ms: ms("2024-01-01T00:00:00+07:00"),
    known_from_ms: null,
    basis: "energy_Wh",
    mg_per_basis: { co2: "659.2" },
    stated: { value: "0.6592", unit: "tCO2/MWh" },
    document: "this test",
    sources: ["this test"],
    confidence: "official",
    uncertainty_pct: null,
    ...parts,
  };
}

export const GRID_METER: Emitter = {
  device: "meter",
  carrier: "electricity",
  role: "import",
  parent: null,
  ncv_MJ_per_Nm3: null,
};

export const GAS_METER: Emitter = { ...GRID_METER, carrier: "natural_gas" };

/** 15 minutes of 2023 in which a grid meter counted watt-hours, unless said otherwise. */
export function interval(ticks: bigint | null, parts: Partial<Interval> = {}): Interval {
  const from_ms = ms("2023-06-15T10:00:00+07:00");
  return {
    device: "meter",
    quantity: "active_energy_import_total",
    from_ms,
    to_ms: from_ms + 900_000,
    tick: { amount: "1", unit: "Wh" },
    ticks,
    flag: "M",
    coverage: 1,
    pollsExpected: 90,
    pollsAnswered: 90,
    cause: null,
    opening: null,
    closing: null,
    ...parts,
  };
}

/** Gas counted in thousandths of a normal m³. */
export function gasInterval(ticks: bigint | null, parts: Partial<Interval> = {}): Interval {
  return interval(ticks, { quantity: "volume_base_total", tick: { amount: "0.001", unit: "Nm3" }, ...parts });
}

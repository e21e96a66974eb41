import type { LiveEvent, Meter } from "../../../api/schemas.ts";

/** A meter as the page shows it: what the server last listed, moved on by what the live line has brought since. */
export type LiveMeter = LiveEvent["meters"][number];
export type MeterValue = Meter["values"][number];

/** What a meter of each kind is first asked about, best first. */
const MAIN = ["active_power_total", "flow_base", "volume_flow", "volume_flow_lps", "flow_measured"] as const;
const COUNTERS: Readonly<Record<string, readonly string[]>> = {
  solar: ["active_energy_export_total", "active_energy_import_total"],
  natural_gas: ["volume_base_total", "volume_measured_total"],
  water: ["volume_total_1"],
};
const ELECTRIC_COUNTERS = ["active_energy_import_total", "active_energy_total"] as const;
const POWER_FACTORS = ["power_factor_total", "cos_phi_total", "power_factor_avg"] as const;

export interface ShownMeter {
  readonly state: Meter["state"];
  readonly at_ms: number | null;
  readonly main: MeterValue | null;
  readonly counter: MeterValue | null;
  readonly powerFactor: MeterValue | null;
}

export function shownMeter(meter: Meter, live: LiveMeter | null): ShownMeter {
  const at = newest(meter.last_reading_at, live?.at ?? null);
  const pick = (ids: readonly string[]): MeterValue | null => {
    const value = ids.map((id) => meter.values.find((one) => one.quantity === id)).find((found) => found !== undefined);
    if (value === undefined) return null;
    const moved = live?.values[value.quantity];
    return moved === undefined || live === null ? value : { ...value, value: moved, at: live.at ?? value.at };
  };
  return {
    state: live?.state ?? meter.state,
    at_ms: at === null ? null : Date.parse(at),
    main: pick(MAIN),
    counter: pick(COUNTERS[meter.carrier] ?? ELECTRIC_COUNTERS),
    powerFactor: pick(POWER_FACTORS),
  };
}

function newest(a: string | null, b: string | null): string | null {
  if (a === null || b === null) return a ?? b;
  return Date.parse(a) >= Date.parse(b) ? a : b;
}

/** Feeders before what hangs under them, otherwise in the order given; how deep each one hangs. */
export function asTree(meters: readonly Meter[]): readonly { readonly meter: Meter; readonly depth: number }[] {
  const rows: { meter: Meter; depth: number }[] = [];
  const ids = new Set(meters.map((meter) => meter.id));
  const add = (parent: string | null, depth: number): void => {
    for (const meter of meters) {
      const own = meter.parent !== null && ids.has(meter.parent) ? meter.parent : null;
      if (own !== parent || rows.some((row) => row.meter.id === meter.id)) continue;
      rows.push({ meter, depth });
      add(meter.id, depth + 1);
    }
  };
  add(null, 0);
  return rows;
}

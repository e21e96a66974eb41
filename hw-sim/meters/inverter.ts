import type { QuantityId } from "../../core/units/quantities.ts";
import { unitNoise } from "../course/noise.ts";
import type { Load } from "../profiles/load.ts";
import { type ElectricSite, electricity } from "./electricity.ts";
import { type Physics, type SimCounter, wave } from "./physics.ts";

/** Operating states of SunSpec model 103. */
const SLEEPING = 2;
const PRODUCING = 4;

/** DC bus of a central inverter while it runs, V, and its losses. */
const DC_V = 720;
const EFFICIENCY = 0.976;

/**
 * A solar inverter: what the load describes is made, not used. Power, current and energy are positive while it produces;
 * at night it sleeps: no power, no power factor, the energy counter stays.
 */
export function inverter(load: Extract<Load, { kind: "electric" }>, site: ElectricSite): Physics {
  const made = electricity(load, site);
  const counters = new Map<QuantityId, SimCounter>();
  const produced = made.counters.get("active_energy_import_total");
  if (produced !== undefined) {
    counters.set("active_energy_export_total", produced);
    counters.set("active_energy_total", produced);
  }
  return {
    counters,
    gauges(at_ms) {
      const gauges = made.gauges(at_ms);
      const p_W = gauges.active_power_total as number;
      const asleep = p_W <= 0;
      const dc_W = p_W / EFFICIENCY;
      const dc_V = asleep ? 0 : DC_V + 25 * wave(at_ms, 2_900_000, site.seed);
      const heat = Math.min(1, p_W / site.rated_power_W);
      return {
        ...gauges,
        power_factor_total: asleep ? null : (gauges.power_factor_total ?? null),
        dc_power: dc_W,
        dc_voltage: dc_V,
        dc_current: asleep ? 0 : dc_W / dc_V,
        temperature_cabinet:
          27 +
          26 * heat +
          3 * wave(at_ms, 21_600_000, site.seed) +
          0.2 * unitNoise(site.seed, Math.floor(at_ms / 60_000)),
        status: asleep ? SLEEPING : PRODUCING,
      };
    },
  };
}

import type { QuantityId } from "../../core/units/quantities.ts";
import { unitNoise } from "../course/noise.ts";
import type { Load } from "../profiles/electric.ts";
import type { ElectricSite } from "./electricity.ts";
import { generated } from "./generator.ts";
import { type Gauge, type Physics, type SimCounter, sharedCounter, wave } from "./physics.ts";

/** DC bus of a central inverter while it runs, V, and its losses. */
const DC_V = 720;
const EFFICIENCY = 0.976;
/** What each of the two strings gives of it; the second one is partly in the shade. */
const STRING_SHARES = [0.55, 0.45];

/**
 * A solar inverter: what the load describes is made, not used. Power, current and energy are positive while it produces;
 * at night it sleeps: no power, no power factor, the energy counter stays.
 */
export function inverter(load: Extract<Load, { kind: "electric" }>, site: ElectricSite): Physics {
  const made = generated(load, site);
  const counters = new Map<QuantityId, SimCounter>(made.counters);
  const produced = made.counters.get("active_energy_export_total")!;
  for (const [i, share] of STRING_SHARES.entries()) {
    const over = Math.round(1000 * share);
    counters.set(`dc_energy_input_${(i + 1) as 1 | 2}`, sharedCounter(produced, over, 1000 * EFFICIENCY, "Wh"));
  }
  const power_W = (at_ms: number) => made.gauges.get("active_power_total")!(at_ms) as number;
  const asleep = (at_ms: number) => power_W(at_ms) <= 0;
  const dc_W = (at_ms: number) => power_W(at_ms) / EFFICIENCY;
  const dc_V = (at_ms: number) => (asleep(at_ms) ? 0 : DC_V + 25 * wave(at_ms, 2_900_000, site.seed));
  const powerFactor = made.gauges.get("power_factor_total")!;
  const own: Readonly<Record<string, Gauge>> = {
    power_factor_total: (at_ms) => (asleep(at_ms) ? null : powerFactor(at_ms)),
    dc_power: dc_W,
    dc_voltage: dc_V,
    dc_current: (at_ms) => (asleep(at_ms) ? 0 : dc_W(at_ms) / dc_V(at_ms)),
    temperature_cabinet: (at_ms) =>
      27 +
      26 * Math.min(1, power_W(at_ms) / site.rated_power_W) +
      3 * wave(at_ms, 21_600_000, site.seed) +
      0.2 * unitNoise(site.seed, Math.floor(at_ms / 60_000)),
    status: (at_ms) => (asleep(at_ms) ? "resting" : "running"),
    rated_power: () => site.rated_power_W,
  };
  const strings = STRING_SHARES.flatMap((share, i): [string, Gauge][] => [
    [`dc_power_input_${i + 1}`, (at_ms) => share * dc_W(at_ms)],
    [`dc_voltage_input_${i + 1}`, dc_V],
    [`dc_current_input_${i + 1}`, (at_ms) => (asleep(at_ms) ? 0 : (share * dc_W(at_ms)) / dc_V(at_ms))],
  ]);
  return { counters, gauges: new Map([...made.gauges, ...Object.entries(own), ...strings]) };
}

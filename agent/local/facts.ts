import type { AgentConfig, MeterConfig } from "../../config/files/agent.ts";
import type { Interval } from "../../core/interval/interval.ts";
import type { QuantityId } from "../../core/units/quantities.ts";
import type { BusStatus } from "../poll/status.ts";
import type { LiveDevice } from "../uplink/edgeNode.ts";
import type { BusFacts } from "./view.ts";

/** Puts beside each polled meter what the configuration, its definition and its last readings say. */
export function busFacts(
  config: Pick<AgentConfig, "buses">,
  buses: readonly BusStatus[],
  devices: readonly LiveDevice[],
  intervalsOf: (device: string) => ReadonlyMap<QuantityId, Interval>,
): readonly BusFacts[] {
  const configured = new Map<string, MeterConfig>(config.buses.flatMap(({ meters }) => meters.map((m) => [m.id, m])));
  const defined = new Map(devices.map((device) => [device.definition.device, device]));
  return buses.map((bus) => ({
    ...bus,
    meters: bus.meters.flatMap((meter) => {
      const written = configured.get(meter.device);
      if (written === undefined) return [];
      const device = defined.get(meter.device);
      return [
        {
          ...meter,
          name: written.name ?? null,
          carrier: written.carrier,
          role: written.role,
          definition: device?.definition ?? null,
          last: device?.last ?? new Map(),
          intervals: intervalsOf(meter.device),
        },
      ];
    }),
  }));
}

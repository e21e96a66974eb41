import type { MeterModel } from "../../../core/model/meterModel.ts";
import type { Bus, BusRead } from "../../../core/ports.ts";
import { simBus } from "../../../hw-sim/bus/simBus.ts";
import type { SimMeterSpec } from "../../../hw-sim/simConfig.ts";
import { clockAt, local, STEEL, simOf } from "../../hw-sim/fixture.ts";

/** A load that suits what a model measures. */
export function specFor(model: MeterModel): Omit<SimMeterSpec, "unit"> {
  const measures = new Set(model.measures);
  if (measures.has("pv")) return { model: model.id, load: { shape: "solar", peak_W: 100_000 } };
  if (measures.has("electricity")) return { model: model.id, load: STEEL, start: 1000 };
  if (measures.has("gas"))
    return { model: model.id, load: { shape: "gas-boiler", peak_m3_per_h: 100 }, m3_per_count: 0.1 };
  return { model: model.id, load: { shape: "process-water", peak_m3_per_h: 100 } };
}

export interface WatchedBus extends Bus {
  readonly reads: BusRead[];
}

/** A weekday morning at the steel plant; every exchange takes 100 ms of the meters' time. */
export function simulated(specs: readonly SimMeterSpec[]): WatchedBus {
  const clock = clockAt(local("2018-03-01T10:30"));
  const line = simBus(new Map(simOf(specs).map((meter) => [meter.unit, meter])), clock);
  const reads: BusRead[] = [];
  return {
    reads,
    read(request) {
      reads.push(request);
      clock.set(clock.now_ms() + 100);
      return line.read(request);
    },
    close: () => line.close(),
  };
}

import type { DeviceDefinition } from "../../../core/model/deviceDefinition.ts";
import type { MeterModel } from "../../../core/model/meterModel.ts";
import type { QuantityId } from "../../../core/units/quantities.ts";
import { decodeSample } from "../../../drivers/modbus/decode.ts";
import { planFor } from "../../../drivers/modbus/planner.ts";
import type { FaultyMeter } from "../../../hw-sim/faults/meterFaults.ts";

/** The counts that a meter's registers show at an instant, as somebody would read them who was there. */
export function countsAt(
  meter: FaultyMeter,
  definition: DeviceDefinition,
  model: MeterModel,
  true_ms: number,
): ReadonlyMap<QuantityId, bigint> {
  const blocks = planFor(definition, model.limits).flatMap((group) => group.blocks);
  const read = blocks.flatMap(({ fc, address, count }) => {
    const words = meter.read(fc, address, count, Math.floor(true_ms));
    return words instanceof Uint16Array ? [{ fc, address, words }] : [];
  });
  return countsIn(definition, read);
}

/** The counts that register words hold. */
export function countsIn(
  definition: DeviceDefinition,
  blocks: readonly { readonly fc: 3 | 4; readonly address: number; readonly words: Uint16Array }[],
): ReadonlyMap<QuantityId, bigint> {
  const sample = { device: definition.device, at_ms: 0, mono_ms: 0, blocks, failures: [] };
  return new Map(
    decodeSample(definition, sample).flatMap(({ quantity, value }) =>
      typeof value === "bigint" ? [[quantity, value] as const] : [],
    ),
  );
}

export function wordsOfHex(hex: string): Uint16Array {
  return Uint16Array.from({ length: hex.length / 4 }, (_, i) => Number.parseInt(hex.slice(4 * i, 4 * i + 4), 16));
}

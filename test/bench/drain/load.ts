/** What the drain benchmark sends: the ordinary gateway, 50 meters of 20 values. */
import { hrtime } from "node:process";
import type { JournalEntry } from "../../../agent/journal/journal.ts";
import { sampleEntry } from "../../../agent/journal/sample.ts";
import type { DeviceDefinition } from "../../../core/model/deviceDefinition.ts";
import type { Clock } from "../../../core/ports.ts";
import type { Sample } from "../../../core/reading/reading.ts";
import { floatMeter, limitsOf } from "../poll/meters.ts";

export const METERS = 50;
export const READINGS_A_BATCH = 20;
export const ZONE = "bench";
export const HOST = "bench-host";
export const EDGE = "gw-01";

export const wallClock: Clock = { now_ms: () => Date.now(), mono_ms: () => Number(hrtime.bigint()) / 1e6 };

export function definitions(): DeviceDefinition[] {
  const one = floatMeter(READINGS_A_BATCH, limitsOf(120));
  return Array.from({ length: METERS }, (_, i) => ({ ...one, device: `meter-${i + 1}` }));
}

/** One poll of a meter: 20 floats that drift, as they do. */
export function entryOf({ device }: DeviceDefinition, definition: string, at_ms: number, poll: number): JournalEntry {
  const floats = new DataView(new ArrayBuffer(4 * READINGS_A_BATCH));
  for (let i = 0; i < READINGS_A_BATCH; i++) floats.setFloat32(4 * i, 230 + i + Math.sin(poll / 60 + i));
  const words = Uint16Array.from({ length: 2 * READINGS_A_BATCH }, (_, i) => floats.getUint16(2 * i));
  const sample: Sample = { device, at_ms, mono_ms: at_ms, blocks: [{ fc: 4, address: 0, words }], failures: [] };
  return sampleEntry({ sample, definition, boot: 1, clock: "set" });
}

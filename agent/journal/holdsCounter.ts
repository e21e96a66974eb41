import type { DeviceDefinition } from "../../core/model/deviceDefinition.ts";
import type { HeldRecord } from "./chunk.ts";
import { decodeSampleRecord, type SampleRecord } from "./sample.ts";

/** Whether words of a counter are in a sample. What nobody can decode any more is taken for one, so that it goes last. */
export function holdsCounter(record: HeldRecord, definitionOf: (hash: string) => DeviceDefinition | null): boolean {
  const decoded = sampleIn(record);
  const definition = decoded === null ? null : definitionOf(decoded.definition);
  if (decoded === null || definition === null) return true;
  const { sample } = decoded;
  return definition.registers.some(
    ({ register }) =>
      definition.counters.some(({ quantity }) => quantity === register.quantity) &&
      sample.blocks.some(
        ({ fc, address, words }) =>
          fc === register.fc &&
          address <= register.address &&
          register.address + register.words <= address + words.length,
      ),
  );
}

function sampleIn(record: HeldRecord): SampleRecord | null {
  try {
    return decodeSampleRecord(record);
  } catch {
    return null;
  }
}

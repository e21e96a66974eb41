import fc from "fast-check";
import { expect, test } from "vitest";
import type { StoredRecord } from "../../../agent/journal/journal.ts";
import { takenEntry } from "../../../agent/journal/sample.ts";
import { BatchSource } from "../../../agent/uplink/batchSource.ts";
import { decodePayload, encodeMessage } from "../../../core/wire/payload.ts";
import { defineDevice } from "../../../drivers/define.ts";
import { decodeSample } from "../../../drivers/modbus/decode.ts";
import { ACCOUNT, model, register, setup } from "../../drivers/devices.ts";

const METER = defineDevice(
  model([
    register({ name: "frequency", quantity: "frequency", type: "f32", address: 10, unit: "Hz" }),
    register({
      name: "active_energy_import_total",
      quantity: "active_energy_import_total",
      type: "u32",
      address: 0,
      unit: "kWh",
      scale: 0.001,
      kind: "counter",
    }),
  ]),
  setup("electricity"),
  ACCOUNT,
);
const word = fc.integer({ min: 0, max: 0xffff });

/** What goes out of batch 1 if the journal gives this record. */
function metricsOf(record: StoredRecord) {
  const source = new BatchSource({ read: () => [record], definition: () => METER, getState: () => null });
  const batch = source.batch(1, true, () => "0badcafe");
  if (batch.kind !== "device") throw new Error(batch.kind);
  const naming = { isHistorical: false, aliasOf: (name: string) => name.length, aliasOfReading: () => 7 };
  return decodePayload(encodeMessage(5, 0, (to) => batch.write(to, naming, 5))).metrics;
}

test("law: a sample sent with its readings at hand says what it says when it is read back", () => {
  fc.assert(
    fc.property(
      fc.array(word, { minLength: 12, maxLength: 12 }),
      fc.constantFrom("set" as const, "waiting" as const),
      fc.constantFrom(1_760_000_000_000, 1_760_000_000_000.4),
      (words, clock, at_ms) => {
        const blocks = [{ fc: 3 as const, address: 0, words: Uint16Array.from(words) }];
        const sample = { device: METER.device, at_ms, mono_ms: 12.345, blocks, failures: [] };
        const entry = takenEntry({ sample, definition: "0badcafe", boot: 3, clock }, decodeSample(METER, sample));
        const held = { ...entry, number: 1, position: 1, epoch: "00000000000000ff" };
        expect(metricsOf(held)).toEqual(metricsOf({ ...held, taken: undefined }));
      },
    ),
  );
});

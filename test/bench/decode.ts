import { resolveModel } from "../../config/models.ts";
import type { WordBlock } from "../../core/reading/reading.ts";
import { defineDevice } from "../../drivers/define.ts";
import { compileDefinition } from "../../drivers/modbus/decode.ts";
import { planFor } from "../../drivers/modbus/planner.ts";
import { ACCOUNT, setup } from "../drivers/devices.ts";
import { meterOf } from "../hw-sim/fixture.ts";
import type { Bench } from "./contest.ts";

const MODEL = "eastron-sdm630";
const AT_MS = Date.UTC(2026, 2, 2);
const POLLS = 50;

export const decode: Bench = {
  summary: `register words of an ${MODEL} → readings with quality`,
  limit: "the same words through a DataView, added up: no scale, no sentinel, no plausibility, no objects",
  async open() {
    const model = resolveModel(MODEL);
    const definition = defineDevice(model, setup("electricity"), ACCOUNT);
    const meter = meterOf({ model: MODEL, load: { shape: "two-shift", peak_W: 400_000 } });
    const reads = planFor(definition, model.limits).flatMap((group) => group.blocks);
    const blocks = reads.map(({ fc, address, count }): WordBlock => {
      const words = meter.read(fc, address, count, AT_MS);
      if (!(words instanceof Uint16Array)) throw new Error(`${MODEL} refuses ${fc}/${address}`);
      return { fc, address, words };
    });
    const decoder = compileDefinition(definition);
    const sample = { device: "meter", at_ms: AT_MS, mono_ms: 0, blocks, failures: [] };
    const places = reads.map((read) => read.registers.map((register) => register.address - read.address));
    const readings = decoder.decode(sample).length;
    const bytes = blocks.map(({ words }) => new DataView(words.slice().buffer));
    let sink = 0;
    const bare = (): void => {
      bytes.forEach((view, block) => {
        for (const at of places[block]!) {
          bits.setUint16(0, view.getUint16(2 * at, true));
          bits.setUint16(2, view.getUint16(2 * at + 2, true));
          sink += bits.getFloat32(0);
        }
      });
    };
    return {
      contests: [
        {
          name: "readings_per_s",
          ours: () => {
            for (let i = 0; i < POLLS; i++) sink += decoder.decode(sample).length;
            return readings * POLLS;
          },
          limit: () => {
            for (let i = 0; i < POLLS; i++) bare();
            return readings * POLLS;
          },
        },
      ],
      async close() {
        if (Number.isNaN(sink)) throw new Error("the simulated meter gave no numbers");
      },
    };
  },
};

const bits = new DataView(new ArrayBuffer(4));

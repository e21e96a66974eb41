import fc from "fast-check";
import { expect, test } from "vitest";
import { local, meterOf, STEEL } from "../fixture.ts";

const BLOCKS = [
  { model: "schneider-pm5000", fc: 3, address: 2999, count: 86 },
  { model: "eastron-sdm630", fc: 4, address: 0, count: 80 },
  { model: "carlo-gavazzi-em340-et340", fc: 4, address: 0, count: 50 },
] as const;

test.each(BLOCKS)(
  "$model: what is read at once is what its registers say one by one",
  ({ model, fc: code, ...block }) => {
    const meter = meterOf({ model, load: STEEL });
    const end = block.address + block.count;
    const inside = meter.model.registers.filter(
      (one) => one.fc === code && one.address >= block.address && one.address + one.words <= end,
    );
    expect(inside.length).toBeGreaterThan(20);
    fc.assert(
      fc.property(fc.integer({ min: local("2026-05-04"), max: local("2026-05-11") }), (at_ms) => {
        const all = meter.read(code, block.address, block.count, at_ms) as Uint16Array;
        for (const { address, words } of inside) {
          const alone = meter.read(code, address, words + (words % 2), at_ms);
          if (alone instanceof Uint16Array) {
            const at = address - block.address;
            expect([...all.subarray(at, at + words)]).toEqual([...alone.subarray(0, words)]);
          }
        }
      }),
      { numRuns: 50 },
    );
  },
);

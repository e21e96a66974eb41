import fc from "fast-check";
import { expect, test } from "vitest";
import { LastReadings } from "../../agent/lastReadings.ts";
import type { Reading } from "../../core/reading/reading.ts";

const QUANTITIES = ["voltage_l1", "voltage_l2", "current_l1", "frequency"] as const;
const sample = fc.subarray([...QUANTITIES]);

test("law: of each quantity the reading that came last is known, whatever the samples held and whenever it is asked", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(sample, fc.boolean()), { maxLength: 12 }), (samples) => {
      const last = new LastReadings();
      const expected = new Map<string, Reading>();
      for (const [at, [quantities, isAsked]] of samples.entries()) {
        const readings = quantities.map((quantity): Reading => {
          return { quantity, at_ms: at, value: at, quality: "good", why: null };
        });
        last.take(readings);
        for (const reading of readings) expected.set(reading.quantity, reading);
        if (isAsked) expect([...last.all()]).toEqual([...expected]);
      }
      expect([...last.all()]).toEqual([...expected]);
    }),
  );
});

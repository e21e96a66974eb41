import fc from "fast-check";
import { expect, test } from "vitest";
import { AliasTable } from "../../../cloud/collector/aliasTable.ts";

test("law: it says of every alias what a map of the same entries says, in a row or scattered, whatever is asked for", () => {
  const alias = fc.oneof(fc.integer({ min: 1000, max: 1040 }), fc.nat(5000), fc.maxSafeNat());
  fc.assert(
    fc.property(fc.array(fc.tuple(alias, fc.nat())), fc.array(alias), (entries, others) => {
      const table = new AliasTable(entries);
      const map = new Map(entries);
      for (const asked of [...map.keys(), ...others]) expect(table.get(asked)).toBe(map.get(asked));
    }),
  );
});

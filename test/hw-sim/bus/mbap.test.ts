import fc from "fast-check";
import { expect, test } from "vitest";
import { splitRequests } from "../../../hw-sim/bus/mbap.ts";

const frames = fc.array(
  fc.record({
    transaction: fc.integer({ min: 0, max: 65_535 }),
    unit: fc.integer({ min: 0, max: 255 }),
    pdu: fc.uint8Array({ minLength: 1, maxLength: 253 }),
  }),
  { maxLength: 6 },
);

function bytesOf({ transaction, unit, pdu }: { transaction: number; unit: number; pdu: Uint8Array }): number[] {
  const length = pdu.length + 1;
  return [transaction >> 8, transaction & 0xff, 0, 0, length >> 8, length & 0xff, unit, ...pdu];
}

test("however a stream is cut, the same requests come out", () => {
  fc.assert(
    fc.property(frames, fc.array(fc.nat(), { maxLength: 8 }), (sent, cuts) => {
      const stream = sent.flatMap(bytesOf);
      const edges = [...new Set([0, ...cuts.map((cut) => cut % (stream.length + 1)), stream.length])].sort(
        (a, b) => a - b,
      );
      const got: { transaction: number; unit: number; pdu: number[] }[] = [];
      let rest = new Uint8Array(0);
      for (let i = 1; i < edges.length; i++) {
        const split = splitRequests(Uint8Array.from([...rest, ...stream.slice(edges[i - 1], edges[i])]));
        if (split.kind === "broken") throw new Error("broken");
        got.push(...split.requests.map(({ transaction, unit, pdu }) => ({ transaction, unit, pdu: [...pdu] })));
        rest = Uint8Array.from(split.rest);
      }
      expect(got).toEqual(sent.map(({ transaction, unit, pdu }) => ({ transaction, unit, pdu: [...pdu] })));
      expect(rest.length).toBe(0);
    }),
  );
});

test("no bytes can make the splitter throw, and it never keeps more than one unfinished frame", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
      const split = splitRequests(bytes);
      if (split.kind === "requests") expect(split.rest.length).toBeLessThan(260);
    }),
  );
});

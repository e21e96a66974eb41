import fc from "fast-check";
import { expect, test } from "vitest";
import { rtuFrame, splitRtu } from "../../../hw-sim/bus/rtu.ts";
import { rtuFrame as independentFrame } from "../../drivers/modbus/servers.ts";

const byte = fc.integer({ min: 0, max: 255 });
const unit = fc.integer({ min: 1, max: 247 });

/** Of 65,536 runs of bytes that are no frame one has a right CRC all the same: what depends on that never happening has a seed. */
const SEED = 20_260_302;

/** Requests of every function whose length is known. */
const pdu = fc.oneof(
  fc.tuple(fc.constantFrom(1, 2, 3, 4, 5, 6), byte, byte, byte, byte).map((bytes) => Uint8Array.from(bytes)),
  fc.constantFrom(7, 11, 12, 17).map((code) => Uint8Array.of(code)),
  fc
    .tuple(fc.constantFrom(15, 16), byte, byte, byte, byte, fc.uint8Array({ minLength: 1, maxLength: 100 }))
    .map(([code, a, b, c, d, data]) => Uint8Array.of(code, a, b, c, d, data.length, ...data)),
);
const frames = fc.array(fc.record({ unit, pdu }), { minLength: 1, maxLength: 5 });

test("frames have the CRC of the standard", () => {
  fc.assert(
    fc.property(unit, pdu, (of, data) => {
      expect([...rtuFrame(of, data)]).toEqual([...independentFrame([of, ...data])]);
    }),
  );
  // MODBUS over Serial Line V1.02, appendix B: unit 2, function 7 → CRC 0x1241, low byte first.
  expect([...rtuFrame(2, Uint8Array.of(7))]).toEqual([0x02, 0x07, 0x41, 0x12]);
});

test("however a stream of frames is cut, the same requests come out", () => {
  fc.assert(
    fc.property(frames, fc.array(fc.nat(), { maxLength: 8 }), (sent, cuts) => {
      const stream = sent.flatMap(({ unit: of, pdu: data }) => [...rtuFrame(of, data)]);
      const edges = [...new Set([0, ...cuts.map((cut) => cut % (stream.length + 1)), stream.length])].sort(
        (a, b) => a - b,
      );
      const got: { unit: number; pdu: number[] }[] = [];
      let rest = new Uint8Array(0);
      for (let i = 1; i < edges.length; i++) {
        const split = splitRtu(Uint8Array.from([...rest, ...stream.slice(edges[i - 1], edges[i])]));
        got.push(...split.requests.map((request) => ({ unit: request.unit, pdu: [...request.pdu] })));
        rest = Uint8Array.from(split.rest);
      }
      expect(got).toEqual(sent.map((request) => ({ unit: request.unit, pdu: [...request.pdu] })));
      expect(rest).toHaveLength(0);
    }),
    { seed: SEED },
  );
});

test("a request is heard behind any garbage, torn frames and other devices' answers", () => {
  const answer = fc
    .record({ of: unit, words: fc.array(byte, { minLength: 1, maxLength: 60 }) })
    .map(({ of, words }) => [...rtuFrame(of, Uint8Array.of(3, words.length, ...words))]);
  const torn = fc.tuple(unit, pdu, fc.nat()).map(([of, data, cut]) => {
    const frame = [...rtuFrame(of, data)];
    return frame.slice(0, cut % frame.length);
  });
  const noise = fc.oneof(fc.array(byte, { maxLength: 40 }), answer, torn);
  fc.assert(
    fc.property(fc.array(noise, { maxLength: 4 }), unit, fc.integer({ min: 0, max: 0xffff }), (before, of, address) => {
      const request = Uint8Array.of(3, address >> 8, address & 0xff, 0, 2);
      const { requests } = splitRtu(Uint8Array.from([...before.flat(), ...rtuFrame(of, request)]));
      expect(requests.map((one) => ({ unit: one.unit, pdu: [...one.pdu] }))).toContainEqual({
        unit: of,
        pdu: [...request],
      });
    }),
    { numRuns: 500, seed: SEED },
  );
});

test("a frame with one wrong bit is no frame", () => {
  fc.assert(
    fc.property(unit, fc.nat(), (of, flip) => {
      const frame = rtuFrame(of, Uint8Array.of(3, 0, 0, 0, 2));
      const bit = flip % (frame.length * 8);
      frame[bit >> 3]! ^= 1 << (bit & 7);
      expect(splitRtu(frame).requests).toEqual([]);
    }),
  );
});

test("no bytes can make the splitter throw, and it keeps less than one frame", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 1000 }), (bytes) => {
      expect(splitRtu(bytes).rest.length).toBeLessThan(256);
    }),
  );
});

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  ACK_BYTES_MAX,
  ackMetric,
  formatAcks,
  formatHello,
  formatMissing,
  isEpoch,
  MetricName,
  nodeCommand,
  parseAck,
  rebirthMetric,
} from "../../../core/wire/ack.ts";
import { decodePayload, encodePayload } from "../../../core/wire/payload.ts";
import { BatchRanges } from "../../../core/wire/ranges.ts";
import { FIXTURES, T, toHex } from "./fixtures.ts";

const EPOCH = "9f3c2a7e51d0b846";

const epoch = fc.string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: 16, maxLength: 16 });
const number = fc.oneof(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }));
const ranges = fc.array(number, { minLength: 1, maxLength: 300 }).map((numbers) => {
  const set = new BatchRanges();
  for (const n of numbers) set.add(n);
  return set.toRanges();
});

describe("acks", () => {
  test("the example of the reference is written and read", () => {
    const text = `1 ${EPOCH} 1-10412,10415,10420-10431`;
    const list = [
      { first: 1, last: 10412 },
      { first: 10415, last: 10415 },
      { first: 10420, last: 10431 },
    ];
    expect(formatAcks(EPOCH, list)).toStrictEqual([text]);
    expect(parseAck(text)).toStrictEqual({ kind: "ack", epoch: EPOCH, ranges: list });
  });

  test("whatever is confirmed is read as confirmed, no command longer than allowed, no more commands than needed", () => {
    fc.assert(
      fc.property(epoch, ranges, (of, list) => {
        const texts = formatAcks(of, list);
        for (const text of texts) expect(text.length).toBeLessThanOrEqual(ACK_BYTES_MAX);
        const read = texts.map(parseAck).flatMap((ack) => {
          expect(ack).toMatchObject({ kind: "ack", epoch: of });
          return ack.kind === "ack" ? ack.ranges : [];
        });
        expect(read).toStrictEqual(list);
        // The longest range has 33 characters: only the last command may have room for one more.
        for (const text of texts.slice(0, -1)) expect(text.length).toBeGreaterThan(ACK_BYTES_MAX - 34);
      }),
    );
  });

  test("a command is filled to the last byte and not beyond", () => {
    // 19 bytes of head and 200 numbers of four digits make 1018.
    const numbers = Array.from({ length: 200 }, (_, at) => 1001 + 2 * at);
    const acksOf = (last: number) =>
      formatAcks(
        EPOCH,
        [...numbers, last].map((n) => ({ first: n, last: n })),
      );
    expect(acksOf(10_001).map((text) => text.length)).toStrictEqual([ACK_BYTES_MAX]);
    expect(acksOf(100_001).map((text) => text.length)).toStrictEqual([1018, 25]);
  });

  test("nothing to confirm makes no command", () => {
    expect(formatAcks(EPOCH, [])).toStrictEqual([]);
  });

  test("ranges out of order are a mistake", () => {
    const bad = [
      [
        { first: 5, last: 6 },
        { first: 6, last: 7 },
      ],
      [{ first: 3, last: 2 }],
      [{ first: 0, last: 2 }],
    ];
    for (const list of bad) expect(() => formatAcks(EPOCH, list)).toThrow(/INTERNAL/);
    expect(() => formatAcks("EPOCH", [])).toThrow(/INTERNAL/);
  });
});

describe("hellos", () => {
  test("a hello says the highest number seen, 0 for none", () => {
    expect(formatHello(EPOCH, 0)).toBe(`1 ${EPOCH} hw=0`);
    expect(parseAck(`1 ${EPOCH} hw=0`)).toStrictEqual({ kind: "hello", epoch: EPOCH, highest: 0 });
    fc.assert(
      fc.property(epoch, number, (of, highest) => {
        expect(parseAck(formatHello(of, highest))).toStrictEqual({ kind: "hello", epoch: of, highest });
      }),
    );
    expect(() => formatHello(EPOCH, -1)).toThrow(/INTERNAL/);
  });
});

describe("what is missing", () => {
  test("is written and read as ranges, in as few texts as they fit in", () => {
    const list = [
      { first: 460, last: 496 },
      { first: 500, last: 500 },
    ];
    expect(formatMissing(EPOCH, list)).toStrictEqual([`1 ${EPOCH} no=460-496,500`]);
    expect(formatMissing(EPOCH, [])).toStrictEqual([]);
    fc.assert(
      fc.property(epoch, ranges, (of, some) => {
        const texts = formatMissing(of, some);
        for (const text of texts) expect(text.length).toBeLessThanOrEqual(ACK_BYTES_MAX);
        const read = texts.map(parseAck).flatMap((one) => {
          expect(one).toMatchObject({ kind: "missing", epoch: of });
          return one.kind === "missing" ? one.ranges : [];
        });
        expect(read).toStrictEqual(some);
      }),
    );
  });
});

describe("what is not in the grammar", () => {
  for (const text of [
    "",
    "1",
    `1 ${EPOCH}`,
    `1 ${EPOCH} `,
    `2 ${EPOCH} 1`,
    `01 ${EPOCH} 1`,
    `1 ${EPOCH.toUpperCase()} 1`,
    `1 ${EPOCH}0 1`,
    `1 ${EPOCH.slice(1)} 1`,
    `1  ${EPOCH} 1`,
    `1 ${EPOCH} 1 2`,
    ` 1 ${EPOCH} 1`,
    `1 ${EPOCH} 1\n`,
    `1 ${EPOCH} 0`,
    `1 ${EPOCH} 0-3`,
    `1 ${EPOCH} 01`,
    `1 ${EPOCH} +1`,
    `1 ${EPOCH} 1e3`,
    `1 ${EPOCH} 1.5`,
    `1 ${EPOCH} 3-2`,
    `1 ${EPOCH} 1-2-3`,
    `1 ${EPOCH} -3`,
    `1 ${EPOCH} 1-`,
    `1 ${EPOCH} 1,`,
    `1 ${EPOCH} ,1`,
    `1 ${EPOCH} 2,1`,
    `1 ${EPOCH} 1-3,3-5`,
    `1 ${EPOCH} 9007199254740992`,
    `1 ${EPOCH} 99999999999999999999`,
    `1 ${EPOCH} hw=`,
    `1 ${EPOCH} hw=-1`,
    `1 ${EPOCH} hw=00`,
    `1 ${EPOCH} hw=1,2`,
    `1 ${EPOCH} HW=1`,
    `1 ${EPOCH} no=`,
    `1 ${EPOCH} no=3-2`,
    `1 ${EPOCH} no=hw=3`,
    `1 ${EPOCH} ${Array.from({ length: 500 }, (_, at) => 2 * at + 1).join(",")}`,
  ]) {
    test(`${JSON.stringify(text.slice(0, 60))} is malformed, with a reason`, () => {
      expect(parseAck(text)).toStrictEqual({ kind: "malformed", why: expect.stringMatching(/./) });
    });
  }

  test("any text is read or malformed, and what is read is in order", () => {
    const part = fc.constantFrom("1", " ", EPOCH, "-", ",", "hw=", "0", "27", "9007199254740991");
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(part).map((parts) => `1 ${EPOCH} ${parts.join("")}`),
        ),
        (text) => {
          const read = parseAck(text);
          if (read.kind !== "ack") return;
          expect(formatAcks(read.epoch, read.ranges)).toHaveLength(1);
        },
      ),
      { numRuns: 2000 },
    );
  });

  test("only 16 lower-case hex digits are an epoch", () => {
    expect([EPOCH, EPOCH.toUpperCase(), `${EPOCH}\n`, "", "0".repeat(17)].map(isEpoch)).toStrictEqual([
      true,
      false,
      false,
      false,
      false,
    ]);
  });
});

describe("commands", () => {
  test("an ack and a rebirth request are the bytes of the reference", () => {
    const [text] = formatAcks(EPOCH, [
      { first: 1, last: 3 },
      { first: 5, last: 5 },
    ]);
    expect(toHex(encodePayload(nodeCommand(T, [ackMetric(T, text!)])))).toBe(FIXTURES.ncmdAck);
    expect(toHex(encodePayload(nodeCommand(T, [rebirthMetric(T)])))).toBe(FIXTURES.ncmdRebirth);
  });

  test("both may share one command", () => {
    const bytes = encodePayload(nodeCommand(T, [ackMetric(T, formatHello(EPOCH, 4)), rebirthMetric(T)]));
    const { metrics, seq } = decodePayload(bytes);
    expect(metrics.map((m) => m.name)).toStrictEqual([MetricName.deliveryAck, MetricName.rebirth]);
    expect(seq).toBeUndefined();
  });
});

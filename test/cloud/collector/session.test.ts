import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { deviceIntake } from "../../../cloud/collector/intake.ts";
import { bornMetrics, deviceSession, liveValues, showBorn, showContent } from "../../../cloud/collector/session.ts";
import { DataMessage } from "../../../core/wire/dataMessage.ts";
import { data, encodeCanonical, encodePayload, type Metric, metric } from "../../../core/wire/payload.ts";

const T = Date.UTC(2026, 10, 2);
const VOLTAGE = "Voltage/L1";
const ENERGY = "Energy/Active/Import/Total";
const birth = [
  metric.double({ name: VOLTAGE, alias: 1, timestamp_ms: T }, 230),
  metric.int64({ name: ENERGY, alias: 2, timestamp_ms: T }, null),
  metric.int64({ name: "Delivery/Batch", alias: 3, timestamp_ms: T }, null),
];
const born = bornMetrics(birth).map((one) =>
  one.name === ENERGY ? { ...one, properties: { tick: "100 W.h", modulus: "" } } : one,
);
const device = () => {
  const session = deviceSession("incomer", 1, born);
  for (const one of birth) showBorn(session, one);
  return session;
};

const message = new DataMessage();

function send(session: ReturnType<typeof device>, metrics: readonly Metric[]) {
  message.open(encodePayload({ timestamp_ms: T, seq: 1, metrics }));
  const intake = deviceIntake(session, message, T);
  if (intake.kind === "batch" || intake.kind === "plain") showContent(intake.content!, message);
  return intake;
}

describe("live values", () => {
  test("are worked out when asked for: a counter in its quantity's unit, null in a birth takes nothing away", () => {
    const session = device();
    expect(liveValues(session)).toEqual(
      new Map([["voltage_l1", { value: 230, at_ms: T, quality: "good", why: null }]]),
    );
    send(session, [data.int64({ alias: 2, timestamp_ms: T + 5 }, 12_345)]);
    expect(liveValues(session).get("active_energy_import_total")).toEqual({
      value: 1234.5,
      at_ms: T + 5,
      quality: "good",
      why: null,
    });
  });

  test("are the newest ever sent, in whatever order and however often they are asked for between", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(99), fc.boolean()), { minLength: 1 }), (sent) => {
        const session = device();
        for (const [delay, isAsked] of sent) {
          send(session, [data.double({ alias: 1, timestamp_ms: T + 1 + delay }, delay)]);
          if (isAsked) liveValues(session);
        }
        const newest = Math.max(...sent.map(([delay]) => delay));
        expect(liveValues(session).get("voltage_l1")).toMatchObject({ value: newest, at_ms: T + 1 + newest });
      }),
    );
  });

  test("survive a birth that does not know them, and are what it says where it does", () => {
    const session = device();
    send(session, [data.double({ alias: 1, timestamp_ms: T + 9, isHistorical: true }, 231)]);
    const next = deviceSession("incomer", 2, born, liveValues(session));
    expect(liveValues(next).get("voltage_l1")?.value).toBe(231);
    showBorn(next, metric.double({ name: VOLTAGE, alias: 1, timestamp_ms: T + 3 }, 229));
    expect(liveValues(next).get("voltage_l1")).toMatchObject({ value: 229, at_ms: T + 3 });
  });

  test("are found in their message wherever the batch number stands in it", () => {
    const number = data.int64({ alias: 3, timestamp_ms: T, isTransient: true }, 7);
    const readings = [
      data.double({ alias: 1, timestamp_ms: T + 5 }, 231),
      data.int64({ alias: 2, timestamp_ms: T + 5 }, 4),
    ];
    for (const sent of [
      [number, ...readings],
      [readings[0]!, number, readings[1]!],
      [...readings, number],
    ]) {
      const session = device();
      expect(send(session, sent)).toMatchObject({
        batch: { number: 7, payload: encodeCanonical(readings) },
        isLive: true,
      });
      expect(liveValues(session).get("voltage_l1")?.value).toBe(231);
      expect(liveValues(session).get("active_energy_import_total")?.value).toBe(0.4);
    }
  });
});

describe("what a message brings", () => {
  const batch = data.int64({ alias: 3, timestamp_ms: T, isTransient: true }, 7);

  test("a reading that is no number makes it malformed", () => {
    const text: Metric = { alias: 1, timestamp_ms: T, datatype: 12, stringValue: "230" };
    expect(send(device(), [text, batch])).toMatchObject({
      kind: "malformed",
      number: 7,
      why: `${VOLTAGE} is no number`,
    });
  });

  test("the same content gives the same batch, whether the sender repeats the datatypes or not", () => {
    const plain = [data.double({ alias: 1, timestamp_ms: T }, 1.5), data.int64({ alias: 2, timestamp_ms: T }, 4)];
    const typed = plain.map((one, i) => ({ ...one, datatype: i === 0 ? (10 as const) : (4 as const) }));
    const [a, b] = [plain, typed].map((metrics) => send(device(), [...metrics, batch]));
    expect(a).toMatchObject({ kind: "batch", batch: { number: 7, from_ms: T, to_ms: T, isPoll: true } });
    expect(b).toMatchObject({ kind: "batch", batch: { number: 7, from_ms: T, to_ms: T, isPoll: true } });
  });
});

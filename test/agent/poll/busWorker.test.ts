import { describe, expect, test } from "vitest";
import { register } from "../../drivers/devices.ts";
import {
  ENERGY,
  gaps,
  garbling,
  POWER,
  quick,
  silent,
  slow,
  T,
  throwing,
  type Unit,
  VirtualLine,
  type VirtualMeter,
  words,
} from "./virtualLine.ts";

const quickUnits = (count: number, more: Partial<VirtualMeter> = {}): VirtualMeter[] =>
  Array.from({ length: count }, (_, i) => ({ unit: i + 1, behaves: quick, ...more }));
const MINUTE_MS = 60_000;

describe("sixteen good meters beside a silent, a slow, an exception-throwing and a garbling one", () => {
  test.each([
    [1000, 2, "tcp://test:502"],
    [1000, 2, "rtu:///dev/line?baud=19200"],
    [1000, 4, "tcp://test:502"],
    [2000, 2, "tcp://test:502"],
    [5000, 2, "rtu+tcp://test:502"],
  ])("keep their period of %i ms to within a tenth (exception %i, %s)", async (power_ms, code, url) => {
    const line = new VirtualLine(
      [
        { unit: 17, behaves: silent, power_ms },
        { unit: 18, behaves: slow, power_ms },
        ...quickUnits(16, { power_ms }),
        { unit: 19, behaves: throwing(code), power_ms },
        { unit: 20, behaves: garbling, power_ms },
      ],
      T,
      url,
    );
    await line.run(21 * MINUTE_MS);
    // What is silent and what slow is known after the first minute.
    line.forgetAsked(T + MINUTE_MS);
    const between = Array.from({ length: 16 }, (_, i) => gaps(line.beganAt(i + 1)));
    for (const own of between) {
      const mean_ms = own.reduce((sum, one) => sum + one, 0) / own.length;
      expect(Math.abs(mean_ms / power_ms - 1)).toBeLessThan(0.005);
    }
    const errors = between.flat().map((one) => Math.abs(one / power_ms - 1));
    expect(Math.max(...errors)).toBeLessThanOrEqual(0.1);
    expect(line.asked.filter(({ unit }) => unit === 17).length).toBeLessThanOrEqual(21);
    expect(line.asked.filter(({ unit }) => unit === 18).length).toBeGreaterThan(100);
  });
});

describe("sixteen good meters of 12 ms beside four bad ones, a timeout as long as the period", () => {
  const POWER_MS = 1000;
  const taking =
    (took_ms: number): Unit =>
    (request) => ({ reply: words(request), took_ms });
  const noisy: Unit = ({ timeout_ms }) => ({ reply: { kind: "garbled", detail: "bad CRC" }, took_ms: timeout_ms });
  /** One block, read every second. */
  const one = { registers: [POWER, { ...ENERGY, address: 2 }], energy_ms: POWER_MS };
  const lineOf = (url: string) =>
    new VirtualLine(
      [
        ...quickUnits(16, { behaves: taking(12), ...one }),
        { unit: 17, behaves: silent, ...one },
        { unit: 18, behaves: slow, ...one },
        { unit: 19, behaves: (request) => ({ ...throwing(4)(request, 0), took_ms: 12 }), ...one },
        { unit: 20, behaves: url.startsWith("rtu") ? noisy : garbling, ...one },
      ],
      T,
      url,
    );

  test.each(["tcp://test:502", "rtu+tcp://test:502", "rtu:///dev/line?baud=19200"])(
    "lose no poll, and 95 of 100 periods are right to within a tenth (%s)",
    async (url) => {
      const line = lineOf(url);
      await line.run(21 * MINUTE_MS);
      line.forgetAsked(T + MINUTE_MS);
      for (let unit = 1; unit <= 16; unit++) {
        const own = gaps(line.beganAt(unit)).map((length_ms) => length_ms / POWER_MS);
        expect(own.length).toBeGreaterThanOrEqual(20 * 60 - 1);
        expect(own.filter((ratio) => Math.abs(ratio - 1) <= 0.1).length / own.length).toBeGreaterThanOrEqual(0.95);
        expect(Math.max(...own)).toBeLessThan(1.35);
      }
      // Nobody is forgotten: the slow one every minute or two, and its counters soon after an interval's end.
      expect(line.beganAt(18).length).toBeGreaterThanOrEqual(14);
      const counted = line.beganAt(18).find((at_ms) => at_ms >= T + 900_000);
      expect(counted! - (T + 900_000)).toBeLessThan(15_000);
      for (const unit of [17, 19, 20]) {
        expect(Math.max(...gaps(line.asked.filter((one) => one.unit === unit).map(({ at_ms }) => at_ms)))).toBeLessThan(
          3 * MINUTE_MS,
        );
      }
      expect(line.status().meters.find(({ unit }) => unit === 17)?.lastError?.words).toMatch(
        /^no answer within 1000 ms/,
      );
    },
  );

  test("a silent unit that comes back is found, quick or slow", async () => {
    for (const [behaves, within] of [
      [taking(12), 3],
      [slow, 12],
    ] as const) {
      const line = lineOf("tcp://test:502");
      await line.run(10 * MINUTE_MS);
      line.behave(17, behaves);
      await line.run(within * MINUTE_MS);
      expect(line.answering).toContain("m17 answers");
    }
  });
});

test("a slow meter with many blocks is never waited for longer than one exchange, not even the first time", async () => {
  const registers = Array.from({ length: 10 }, (_, i) => register({ name: `r${i}`, type: "u16", address: 10 * i }));
  const line = new VirtualLine([{ unit: 18, behaves: slow, registers }, ...quickUnits(5)]);
  await line.run(2 * MINUTE_MS);
  const slowTurns = line.asked.map(({ unit }) => unit === 18);
  expect(slowTurns.some((isSlow, i) => isSlow && slowTurns[i + 1] === true)).toBe(false);
  expect(Math.max(...gaps(line.beganAt(1)))).toBeLessThanOrEqual(2000);
  // Its blocks make one sample all the same.
  const whole = line.samples.filter(({ device, blocks }) => device === "m18" && blocks.length === 10);
  expect(whole.length).toBeGreaterThan(5);
});

describe("a meter that does not answer", () => {
  test("is asked once a step, after 1, 2, 4 … of its periods, a minute at most", async () => {
    const line = new VirtualLine([{ unit: 1, behaves: silent, timeout_ms: 300 }]);
    await line.run(6 * MINUTE_MS);
    const waits = gaps(line.asked.map(({ at_ms }) => at_ms)).map((one) => one / 1000);
    // Each wait ends with the next whole second.
    expect(waits).toEqual([2, 3, 5, 9, 17, 33, 61, 61, 61, 61]);
    expect(line.status().meters[0]).toMatchObject({
      isAnswering: false,
      lastError: { words: "no answer within 300 ms (function 3, address 100, 2 registers)" },
    });
    expect(line.status().meters[0]?.backoffUntil_ms).toBeGreaterThan(line.at_ms);
  });

  test("is the same to its neighbours when a gateway answers for it", async () => {
    const line = new VirtualLine([
      { unit: 1, behaves: () => ({ reply: { kind: "exception", code: 11 }, took_ms: 700 }) },
    ]);
    await line.run(MINUTE_MS);
    expect(line.asked.length).toBeLessThanOrEqual(6);
    expect(line.samples.every(({ failures }) => failures.every(({ detail }) => detail === 11))).toBe(true);
  });

  test("is polled at its period again from its first answer on, and each change is told once", async () => {
    const line = new VirtualLine([{ unit: 1, behaves: quick }]);
    await line.run(5000);
    line.behave(1, silent);
    await line.run(20_000);
    line.behave(1, quick);
    await line.run(MINUTE_MS);
    expect(line.answering).toEqual(["m1 answers", "m1 silent", "m1 answers"]);
    expect(
      line
        .beganAt(1)
        .slice(-20)
        .map((one) => Math.round(one / 1000)),
    ).toEqual(Array.from({ length: 20 }, (_, i) => Math.round(line.at_ms / 1000) - 19 + i));
    expect(line.status().meters[0]?.backoffUntil_ms).toBeNull();
  });

  test("is not told silent for a single lost reply", async () => {
    let reads = 0;
    const line = new VirtualLine([
      { unit: 1, behaves: (request, at_ms) => (++reads === 10 ? silent : quick)(request, at_ms) },
    ]);
    await line.run(MINUTE_MS);
    expect(line.answering).toEqual(["m1 answers"]);
  });
});

describe("an RTU meter that owes a reply", () => {
  const RTU = "rtu:///dev/line?baud=9600";
  const losing = (lost: Unit, nth: number): Unit => {
    let reads = 0;
    return (request, at_ms) => (++reads % nth === 0 ? lost : quick)(request, at_ms);
  };

  test("is not asked as long as its bus says so, and the others do not wait for it", async () => {
    let until_ms = 0;
    const behaves: Unit = (request, at_ms) => {
      expect(at_ms).toBeGreaterThanOrEqual(until_ms);
      until_ms = Math.floor(at_ms / 10_000) * 10_000 + 5000 > at_ms ? 0 : at_ms + 4000;
      return quick(request, at_ms);
    };
    const meters: VirtualMeter[] = [
      { unit: 1, behaves, energy_ms: 1000 },
      { unit: 2, behaves: quick, power_ms: 200, energy_ms: 200 },
    ];
    const line: VirtualLine = new VirtualLine(meters, T, RTU, {
      wait_ms: ({ unit }) => (unit === 1 ? Math.max(0, until_ms - line.at_ms) : 0),
      doubts: () => 0,
      proof: () => null,
    });
    await line.run(MINUTE_MS, 100);
    expect(line.beganAt(1).length).toBeGreaterThan(20);
    expect(Math.max(...gaps(line.beganAt(2)))).toBeLessThanOrEqual(210);
    expect(JSON.stringify(line.log.events)).not.toContain("overload");
  });

  test("has read nothing in a poll during which its replies came into doubt", async () => {
    let doubts = 0;
    const behaves: Unit = (request, at_ms) => {
      if (request.address === 100 && at_ms > T + 30_000 && doubts === 0) doubts = 1;
      return quick(request, at_ms);
    };
    const line = new VirtualLine([{ unit: 1, behaves, energy_ms: 1000 }], T, RTU, {
      wait_ms: () => 0,
      doubts: () => doubts,
      proof: () => null,
    });
    await line.run(MINUTE_MS);
    const doubtful = line.samples.filter(({ failures }) => failures.length > 0);
    expect(doubtful).toMatchObject([{ blocks: [], failures: [{ why: "garbled" }, { why: "garbled" }] }]);
    expect(line.status().meters[0]?.lastError?.words).toMatch(/twice or one question late/);
    expect(line.samples.length).toBeGreaterThan(55);
  });

  test("is asked what proves its words before anybody else has a turn, and counts as garbled if it cannot be asked", async () => {
    let proofs = 0;
    let waits_ms = 0;
    const line = new VirtualLine(
      [
        { unit: 1, behaves: quick },
        { unit: 2, behaves: quick },
      ],
      T,
      RTU,
      {
        wait_ms: ({ address }) => (address === 7 ? waits_ms : 0),
        doubts: () => 0,
        proof: (unit) => (unit === 1 && proofs++ < 20 ? { unit, fc: 3, address: 7, count: 1 } : null),
      },
    );
    await line.run(5000);
    const before = line.asked.filter((_, i) => line.asked[i + 1]?.address === 7);
    expect(before.length).toBeGreaterThanOrEqual(4);
    expect(before.every(({ unit }) => unit === 1)).toBe(true);
    expect(line.samples.every(({ failures }) => failures.length === 0)).toBe(true);
    waits_ms = 500;
    line.samples.length = 0;
    await line.run(3000);
    const doubtful = line.samples.filter(({ device }) => device === "m1");
    expect(doubtful.length).toBeGreaterThanOrEqual(2);
    expect(doubtful.every(({ blocks }) => blocks.length === 0)).toBe(true);
  });

  test("reads the rest of a garbled poll afterwards", async () => {
    const meter = { unit: 1, behaves: losing(garbling, 3), energy_ms: 1000, timeout_ms: 300 };
    const line = new VirtualLine([meter], T, RTU);
    await line.run(MINUTE_MS);
    const told = line.samples.map(({ blocks, failures }) => [blocks.length, failures.length].join(" + "));
    expect(new Set(told)).toEqual(new Set(["2 + 0", "1 + 1"]));
    expect(told.length).toBeGreaterThanOrEqual(58);
  });
});

describe("at the end of an interval", () => {
  const END = T + 900_000;

  test.each([10_000, 7000, 1000])(
    "counters read every %i ms are read within a second, before all gauges",
    async (energy_ms) => {
      const line = new VirtualLine(
        quickUnits(30, { energy_ms }).map((meter) => ({
          ...meter,
          behaves: (request) => ({ reply: words(request), took_ms: 12 }),
        })),
        END - 20_000,
      );
      await line.run(25_000);
      const after = line.asked.filter(({ at_ms }) => at_ms >= END);
      const counters = after.filter(({ address }) => address === ENERGY.address).slice(0, 30);
      expect(new Set(counters.map(({ unit }) => unit)).size).toBe(30);
      expect(Math.max(...counters.map(({ at_ms }) => at_ms))).toBeLessThan(END + 1000);
      if (energy_ms > 1000) expect(after.slice(0, 30).every(({ address }) => address === ENERGY.address)).toBe(true);
    },
  );

  test("a silent neighbour does not make them late", async () => {
    const line = new VirtualLine(
      [{ unit: 99, behaves: silent }, ...quickUnits(10, { energy_ms: 30_000 })],
      END - 300_000,
    );
    await line.run(310_000);
    for (let unit = 1; unit <= 10; unit++) {
      const first = line.asked.find((one) => one.unit === unit && one.address === ENERGY.address && one.at_ms >= END);
      expect(first?.at_ms).toBeLessThan(END + 1000);
    }
  });
});

describe("a line that cannot keep up", () => {
  const busy = quickUnits(40).map((meter) => ({
    ...meter,
    behaves: ((request) => ({ reply: words(request), took_ms: 40 })) satisfies Unit,
  }));

  test("counts the polls it leaves out, says so once a minute with the numbers, and treats everybody alike", async () => {
    const line = new VirtualLine(busy);
    await line.run(5 * MINUTE_MS);
    const said = line.log.events.filter(({ event }) => event === "bus.overload");
    expect(said.length).toBeGreaterThanOrEqual(4);
    expect(said.length).toBeLessThanOrEqual(5);
    const status = line.status();
    // 40 × 40 ms of power each second, and a tenth of that for energy.
    expect(status).toMatchObject({ cycle_ms: 1000, needed_ms: 1760, available_ms: 1000, isOverloaded: true });
    expect(status.load_pct).toBeGreaterThan(95);
    expect(said.at(-1)?.fields).toMatchObject({ bus: "line", cycle_ms: 1000, needed_ms: 1760, available_ms: 1000 });
    const polls = Array.from({ length: 40 }, (_, i) => line.beganAt(i + 1).length);
    expect(Math.max(...polls) - Math.min(...polls)).toBeLessThanOrEqual(2);
    const energy = line.asked.filter(({ address }) => address === ENERGY.address).length;
    const due = 40 * (300 + 30);
    expect(polls.reduce((sum, one) => sum + one, 0) + energy + status.overruns).toBeGreaterThan(due * 0.95);
  });

  test("still finds out that a silent meter came back", async () => {
    const line = new VirtualLine([...busy, { unit: 99, behaves: silent }]);
    await line.run(2 * MINUTE_MS);
    line.behave(99, quick);
    await line.run(3 * MINUTE_MS);
    expect(line.answering).toContain("m99 answers");
  });

  test("is not what a clock that is set makes of a line", async () => {
    const line = new VirtualLine(quickUnits(3));
    await line.run(5000);
    const mono = line.at_ms;
    line.jump(3_600_000);
    await line.run(5000);
    line.jump(-7_200_000);
    await line.run(5000);
    expect(line.status()).toMatchObject({ overruns: 0, isOverloaded: false });
    expect(line.samples.filter(({ device }) => device === "m1").length).toBeGreaterThanOrEqual(14);
    expect(mono).toBeGreaterThan(T);
  });
});

describe("a line that cannot be reached", () => {
  const down: Unit = () => ({ reply: { kind: "unreachable", detail: "refused" }, took_ms: 1000 });

  test("is tried once a step, fails all that is due, and is back for everybody at the first answer", async () => {
    const line = new VirtualLine(quickUnits(10));
    await line.run(5000);
    for (let unit = 1; unit <= 10; unit++) line.behave(unit, down);
    line.asked.length = 0;
    line.samples.length = 0;
    await line.run(MINUTE_MS);
    expect(line.asked.length).toBeLessThanOrEqual(8);
    expect(new Set(line.samples.map(({ device }) => device)).size).toBe(10);
    expect(line.samples.every(({ failures }) => failures.every(({ why }) => why === "unreachable"))).toBe(true);
    expect(line.status().backoffUntil_ms).toBeGreaterThan(line.at_ms);
    for (let unit = 1; unit <= 10; unit++) line.behave(unit, quick);
    await line.run(MINUTE_MS);
    line.samples.length = 0;
    await line.run(2000);
    expect(line.samples.filter(({ blocks }) => blocks.length > 0)).toHaveLength(20);
    expect(line.status().backoffUntil_ms).toBeNull();
    // The second attempt to connect waited for the first.
    expect(line.status().overruns).toBeLessThanOrEqual(1);
  });

  test("is not what one device that hangs up makes of it", async () => {
    const hangsUp: Unit = () => ({ reply: { kind: "unreachable", detail: "closed" }, took_ms: 3 });
    const line = new VirtualLine([{ unit: 99, behaves: hangsUp }, ...quickUnits(3)]);
    await line.run(MINUTE_MS);
    expect(line.beganAt(1)).toHaveLength(60);
    expect(line.status().backoffUntil_ms).toBeNull();
  });

  test("is not what one device that hangs up makes of it, also where the others are read once a minute", async () => {
    const hangsUp: Unit = () => ({ reply: { kind: "unreachable", detail: "closed" }, took_ms: 3 });
    const rarely = { power_ms: MINUTE_MS, energy_ms: MINUTE_MS };
    const line = new VirtualLine([{ unit: 99, behaves: quick }, ...quickUnits(2, rarely)]);
    await line.run(MINUTE_MS);
    line.behave(99, hangsUp);
    line.forgetAsked(line.at_ms);
    await line.run(10 * MINUTE_MS);
    for (const unit of [1, 2]) expect(line.beganAt(unit)).toHaveLength(10);
    expect(line.asked.filter(({ unit }) => unit === 99).length).toBeLessThan(20);
    // A line that is gone and comes back without it is found by the others.
    for (const unit of [1, 2]) line.behave(unit, down);
    await line.run(10 * MINUTE_MS);
    expect(line.status().backoffUntil_ms).not.toBeNull();
    for (const unit of [1, 2]) line.behave(unit, quick);
    line.forgetAsked(line.at_ms);
    await line.run(10 * MINUTE_MS);
    for (const unit of [1, 2]) expect(line.beganAt(unit).length).toBeGreaterThanOrEqual(8);
  });
});

describe("a register that the meter refuses", () => {
  const REGISTERS = [
    POWER,
    register({ name: "v", type: "f32", address: 2, quantity: "voltage_l1" }),
    register({ name: "i", type: "f32", address: 4, quantity: "current_l1" }),
    ENERGY,
  ];
  const refuses =
    (...bad: readonly number[]): Unit =>
    (request) =>
      bad.some((one) => request.address <= one && one < request.address + request.count)
        ? { reply: { kind: "exception", code: 2 }, took_ms: 5 }
        : { reply: words(request), took_ms: 5 };

  test("is set aside with its reason while the others are read, and shown so", async () => {
    const line = new VirtualLine([{ unit: 1, behaves: refuses(2), registers: REGISTERS }]);
    await line.run(10_000);
    const { blocks } = line.status().meters[0]!;
    expect(blocks.map(({ state, registers }) => [state, ...registers])).toEqual([
      ["ok", "p"],
      ["ok", "i"],
      ["ok", "e"],
      ["set-aside", "v"],
    ]);
    expect(blocks[3]).toMatchObject({ why: "exception 2 (illegal data address)", since_ms: expect.any(Number) });
    expect(line.log.events.map(({ event }) => event)).toEqual(["meter.register-set-aside"]);
    const { blocks: read, failures } = line.samples.at(-1)!;
    expect(read.map(({ address }) => address)).toEqual([100, 0, 4]);
    expect(failures).toEqual([]);
  });

  test("that is a counter counts as failed by exception at every poll", async () => {
    const line = new VirtualLine([{ unit: 1, behaves: refuses(100), registers: REGISTERS }]);
    await line.run(50_000);
    const failed = line.samples.flatMap(({ failures }) => failures);
    expect(failed).toHaveLength(6);
    expect(new Set(failed.map((one) => JSON.stringify(one)))).toEqual(
      new Set([JSON.stringify({ fc: 3, address: 100, count: 2, why: "exception", detail: 2 })]),
    );
    expect(line.asked.filter(({ address }) => address === 100)).toHaveLength(1);
  });

  test("is read again when the meter gives it, and a restart knows what was learned", async () => {
    const line = new VirtualLine([{ unit: 1, behaves: refuses(2), registers: REGISTERS }]);
    await line.run(10_000);
    const learned = line.learned.get("m1")!;
    const again = new VirtualLine([{ unit: 1, behaves: refuses(2), registers: REGISTERS, learned }], line.at_ms);
    await again.run(10_000);
    expect(again.asked.some(({ address, count }) => address === 0 && count > 2)).toBe(false);
    again.behave(1, quick);
    await again.run(2 * MINUTE_MS);
    expect(again.status().meters[0]?.blocks.map(({ registers }) => registers)).toEqual([["p", "v", "i"], ["e"]]);
    expect(again.log.events.map(({ event }) => event)).toEqual(["meter.register-back"]);
  });

  test("by keeping silent at it, is found as well, and does not silence the meter", async () => {
    const mute =
      (bad: number): Unit =>
      (request, at_ms) =>
        (request.address <= bad && bad < request.address + request.count ? silent : quick)(request, at_ms);
    for (const bad of [2, 100]) {
      const line = new VirtualLine([{ unit: 1, behaves: mute(bad), registers: REGISTERS, energy_ms: 1000 }]);
      await line.run(MINUTE_MS);
      const { blocks, isAnswering } = line.status().meters[0]!;
      expect(isAnswering).toBe(true);
      expect(blocks.filter(({ state }) => state === "set-aside").map(({ registers }) => registers[0])).toEqual([
        bad === 2 ? "v" : "e",
      ]);
      expect(line.samples.at(-1)?.blocks.length).toBe(bad === 2 ? 3 : 1);
    }
  });

  test("with exceptions 4 and 6 is not: those speak of the meter's state", async () => {
    for (const code of [4, 6]) {
      const line = new VirtualLine([{ unit: 1, behaves: throwing(code), registers: REGISTERS }]);
      await line.run(10_000);
      expect(line.status().meters[0]?.blocks.every(({ state }) => state === "ok")).toBe(true);
      expect(line.learned.size).toBe(0);
    }
  });
});

describe("a meter whose map must be found", () => {
  test("is looked for once a minute until it is found, and then polled", async () => {
    const line = new VirtualLine([{ unit: 1, behaves: silent, mustBeFound: true }]);
    await line.run(140_000);
    expect(line.asked).toHaveLength(3);
    expect(line.status().meters[0]).toMatchObject({
      blocks: [],
      lastError: { words: "its register map was not found: timeout" },
    });
    line.behave(1, quick);
    await line.run(MINUTE_MS);
    expect(line.answering).toEqual(["m1 answers"]);
  });

  test("takes the line for once, and that is no overload", async () => {
    const walk = { took_ms: 4000 };
    const line = new VirtualLine([
      { unit: 1, behaves: quick },
      {
        unit: 2,
        behaves: (request) => ({ reply: words(request), ...(request.address === 40_000 ? walk : { took_ms: 5 }) }),
        mustBeFound: true,
        timeout_ms: 500,
      },
    ]);
    await line.run(MINUTE_MS);
    expect(line.answering).toEqual(["m1 answers", "m2 answers"]);
    expect(line.log.events.map(({ event }) => event)).not.toContain("bus.overload");
    expect(line.status()).toMatchObject({ overruns: 0, isOverloaded: false });
  });
});

test("an error of our own about one meter lets it rest, longer each time, and never ends its line", async () => {
  let isBroken = true;
  const breaks = () => (isBroken ? new RangeError("address 65535 + 2 is beyond 65536") : null);
  const line = new VirtualLine([
    { unit: 1, behaves: quick },
    { unit: 2, behaves: quick, mustBeFound: true, breaks },
  ]);
  await line.run(10 * MINUTE_MS);
  expect(line.beganAt(1)).toHaveLength(600);
  expect(line.status().meters[1]).toMatchObject({
    isAnswering: false,
    lastError: { words: "it cannot be used: address 65535 + 2 is beyond 65536" },
  });
  const failures = line.log.events.filter(({ event }) => event === "meter.failed");
  expect(failures.length).toBeGreaterThan(3);
  expect(failures.length).toBeLessThanOrEqual(11);
  isBroken = false;
  await line.run(2 * MINUTE_MS);
  expect(line.answering).toEqual(["m1 answers", "m2 answers"]);
});

test("the pause a meter asks for is kept before each of its requests, and only there", async () => {
  const line = new VirtualLine([
    { unit: 1, behaves: quick, min_gap_ms: 100, energy_ms: 1000 },
    { unit: 2, behaves: quick, energy_ms: 1000 },
  ]);
  await line.run(5000);
  for (const [i, { unit, at_ms }] of line.asked.entries()) {
    if (i === 0) continue;
    const quiet_ms = at_ms - line.asked[i - 1]!.at_ms - 5;
    if (unit === 1) expect(quiet_ms).toBeGreaterThanOrEqual(100);
    else expect(quiet_ms).toBe(0);
  }
});

test("a worker that is stopped asks nobody any more and closes its bus", async () => {
  const line = new VirtualLine(quickUnits(3));
  await line.run(3000);
  const asked = line.asked.length;
  await line.worker.stop();
  await line.run(3000);
  expect(line.asked).toHaveLength(asked);
  expect(line.isClosed).toBe(true);
});

describe("on a line where an exchange takes 0.9 s", () => {
  const EVERY_MS = 10_000;
  const OTHER = register({ name: "l1", type: "u32", address: 60, kind: "counter" });
  const repliedAt = (line: VirtualLine, address: number) => line.beganAt(1, address).map((at_ms) => at_ms + 900);

  test("a sample is dated by the reply that brought the accounted counter, which is asked first", async () => {
    const registers = [POWER, OTHER, ENERGY];
    const line = new VirtualLine([{ unit: 1, behaves: slow, registers, power_ms: EVERY_MS, energy_ms: EVERY_MS }]);
    await line.run(65_000);
    expect(line.samples.every(({ blocks }) => blocks[0]?.address === ENERGY.address)).toBe(true);
    expect(line.samples.map(({ at_ms }) => at_ms)).toEqual(repliedAt(line, ENERGY.address));
    expect(line.samples.every(({ at_ms, mono_ms }) => at_ms - mono_ms === T)).toBe(true);
  });

  test("so is one that begins with another block because the meter was silent before", async () => {
    const registers = [POWER, ENERGY];
    const line = new VirtualLine([{ unit: 1, behaves: silent, registers, power_ms: EVERY_MS, energy_ms: EVERY_MS }]);
    await line.run(10_000);
    line.forgetAsked(Number.POSITIVE_INFINITY);
    line.behave(1, slow);
    await line.run(15_000);
    const [answered] = line.samples.filter(({ blocks }) => blocks.length > 0);
    expect(answered?.blocks.map(({ address }) => address)).toEqual([POWER.address, ENERGY.address]);
    expect(answered?.at_ms).toBe(repliedAt(line, ENERGY.address)[0]);
    expect(answered?.at_ms).toBe(repliedAt(line, POWER.address)[0]! + 900);
  });
});

describe("settings and identity", () => {
  const DAY_MS = 86_400_000;
  const RATIO = register({ name: "ct_ratio", type: "u16", address: 331, kind: "setting" });
  const SERIAL = register({ name: "serial_number", type: "u32", address: 500, kind: "info" });
  const registers = [POWER, ENERGY, RATIO, SERIAL];
  const told =
    (ratio: number, serial: number): Unit =>
    ({ address, count }) => {
      const answer = new Uint16Array(count);
      if (address === 331) answer[0] = ratio;
      if (address === 500) answer[1] = serial;
      return { reply: { kind: "words", words: answer }, took_ms: 5 };
    };
  const rare = (line: VirtualLine) => line.asked.filter(({ address }) => address > 300);
  const changes = (line: VirtualLine) =>
    line.log.events.filter(({ event }) => event === "meter.setting-changed" || event === "meter.replaced");

  test("are read at the start and once a day, in a sample that is kept", async () => {
    const line = new VirtualLine([{ unit: 1, behaves: told(80, 4711), registers, power_ms: MINUTE_MS }]);
    await line.run(2 * DAY_MS, MINUTE_MS);
    expect(rare(line).map(({ address }) => address)).toEqual([331, 500, 331, 500, 331, 500]);
    expect(line.samples.flatMap(({ blocks }) => blocks).filter(({ address }) => address === 331)).toHaveLength(3);
    expect(changes(line)).toEqual([]);
    expect(line.status().meters[0]!.settings).toMatchObject([
      { name: "ct_ratio", value: "80", before: null },
      { name: "serial_number", value: "4711", before: null },
    ]);
  });

  test("that are others than before a restart are said, shown and kept", async () => {
    const before = new VirtualLine([{ unit: 1, behaves: told(80, 4711), registers }]);
    await before.run(5000);
    const settings = before.settings.get("m1")!;
    const line = new VirtualLine([{ unit: 1, behaves: told(40, 4712), registers, settings }], T + DAY_MS);
    await line.run(5000);
    expect(changes(line)).toMatchObject([
      {
        level: "warn",
        event: "meter.setting-changed",
        fields: { device: "m1", name: "ct_ratio", before: "80", value: "40" },
      },
      { level: "warn", event: "meter.replaced", fields: { device: "m1", before: "4711", value: "4712" } },
    ]);
    expect(line.status().meters[0]!.settings[0]).toMatchObject({
      value: "40",
      before: "80",
      since_ms: T + DAY_MS + 1010,
    });
    const again = new VirtualLine([
      { unit: 1, behaves: told(40, 4712), registers, settings: line.settings.get("m1")! },
    ]);
    await again.run(5000);
    expect(changes(again)).toEqual([]);
  });

  test("are read again when a meter comes back: it may be another one", async () => {
    const line = new VirtualLine([{ unit: 1, behaves: told(80, 4711), registers }]);
    await line.run(5000);
    line.behave(1, silent);
    await line.run(MINUTE_MS);
    line.behave(1, told(80, 4712));
    await line.run(2 * MINUTE_MS);
    expect(changes(line)).toMatchObject([{ event: "meter.replaced", fields: { before: "4711", value: "4712" } }]);
  });

  test("that got lost once are asked for again after a minute, not after a day", async () => {
    let lost = 0;
    const line = new VirtualLine([
      {
        unit: 1,
        behaves: (request, at_ms) =>
          request.address === 500 && lost++ === 0 ? garbling(request, at_ms) : told(80, 4711)(request, at_ms),
        registers,
      },
    ]);
    await line.run(5 * MINUTE_MS);
    expect(rare(line).map(({ address }) => address)).toEqual([331, 500, 331, 500]);
    expect(line.status().meters[0]!.settings).toHaveLength(2);
  });
});

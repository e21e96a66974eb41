import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Accounted, createAccountant } from "../../../agent/account/accountant.ts";
import type { DeviceDefinition } from "../../../core/model/deviceDefinition.ts";
import type { ExchangeFailure, Reading, Sample } from "../../../core/reading/reading.ts";
import { defineDevice, type MeterSetup } from "../../../drivers/define.ts";
import { decodeSample } from "../../../drivers/modbus/decode.ts";
import { factor } from "../../core/emission/fixture.ts";
import { ACCOUNT, model, register, setup } from "../../drivers/devices.ts";

/** 2023-06-15T10:00+07:00, a boundary. */
const START_MS = Date.parse("2023-06-15T10:00:00+07:00");
const FACTORS = [factor()];
const IMPORT = 100;
const REACTIVE = 200;

const counter = (
  name: "active_energy_import_total" | "reactive_energy_import_total",
  address: number,
  unit: "kWh" | "kvarh",
) => register({ name, quantity: name, type: "u32", address, unit, scale: 0.001, kind: "counter" });

function definition(more: Partial<MeterSetup> = {}): DeviceDefinition {
  return defineDevice(
    model([
      counter("active_energy_import_total", IMPORT, "kWh"),
      counter("reactive_energy_import_total", REACTIVE, "kvarh"),
      register({ name: "frequency", quantity: "frequency", type: "u16", address: 300, unit: "Hz", scale: 0.01 }),
    ]),
    setup("electricity", more),
    ACCOUNT,
  );
}

const METER = definition();

const u32 = (count: number) => Uint16Array.of(Math.floor(count / 65_536) % 65_536, count % 65_536);

function sample(
  at_s: number,
  counts: { readonly import?: number; readonly reactive?: number; readonly Hz?: number },
): Sample {
  const { import: active, reactive, Hz } = counts;
  return {
    device: "meter",
    at_ms: START_MS + at_s * 1000,
    mono_ms: at_s * 1000,
    blocks: [
      ...(active === undefined ? [] : [{ fc: 3 as const, address: IMPORT, words: u32(active) }]),
      ...(reactive === undefined ? [] : [{ fc: 3 as const, address: REACTIVE, words: u32(reactive) }]),
      ...(Hz === undefined ? [] : [{ fc: 3 as const, address: 300, words: Uint16Array.of(Hz * 100) }]),
    ],
    failures: [],
  };
}

function failed(at_s: number, why: ExchangeFailure, address = IMPORT): Sample {
  return { ...sample(at_s, {}), failures: [{ fc: 3, address, count: 2, why }] };
}

function accountantOf(meter: DeviceDefinition = METER, factors = FACTORS) {
  const accountant = createAccountant(meter, factors);
  const take = (taken: Sample): Accounted => accountant.take(taken, decodeSample(meter, taken), taken.at_ms, 1);
  return { ...accountant, take, run: (samples: readonly Sample[]) => samples.map(take) };
}

const closedBy = (results: readonly Accounted[]) => results.flatMap(({ intervals }) => intervals);

describe("a sample", () => {
  test("that ends an interval closes it for every counter, with emissions of the one that emits", () => {
    const [, closing] = accountantOf().run([
      sample(0, { import: 1000, reactive: 50 }),
      sample(900, { import: 1900, reactive: 60 }),
    ]);
    expect(closing?.intervals).toMatchObject([
      { quantity: "active_energy_import_total", ticks: 900n, flag: "M", tick: { amount: "1", unit: "Wh" } },
      { quantity: "reactive_energy_import_total", ticks: 10n, flag: "M", tick: { amount: "1", unit: "varh" } },
    ]);
    expect(closing?.emissions).toMatchObject([{ gas: "co2", mg: 593_280n, factorVersion: "1", match: "exact" }]);
    expect(closing?.withoutFactor).toEqual([]);
  });

  test("that ends none gives nothing", () => {
    expect(accountantOf().run([sample(0, { import: 1 }), sample(10, { import: 2, Hz: 50 })])).toEqual(
      Array(2).fill({ intervals: [], emissions: [], withoutFactor: [], swap: null, asksWho: false }),
    );
  });

  test("leaves the words of its register as evidence, cut out of the block they were read in", () => {
    const wide: Sample = {
      ...sample(900, {}),
      blocks: [{ fc: 3, address: IMPORT - 2, words: Uint16Array.of(1, 2, 0xab, 0xcdef, 5) }],
    };
    const [interval] = closedBy(accountantOf().run([sample(0, { import: 0xabcdef - 100 }), wide]));
    expect(interval?.closing).toEqual({
      count: 0xabcdefn,
      words: { fc: 3, address: IMPORT, hex: "00ABCDEF", at_ms: START_MS + 900_000 },
      across: null,
    });
    expect(interval?.opening?.words).toMatchObject({ hex: "00ABCD8B", at_ms: START_MS });
  });

  test("without a factor for its time is shown, not dropped", () => {
    const [, closing] = accountantOf(METER, []).run([sample(0, { import: 0 }), sample(900, { import: 5 })]);
    expect(closing).toMatchObject({ emissions: [], withoutFactor: [{ interval: { ticks: 5n }, why: /electricity/ }] });
  });

  test("of a sub-meter gives intervals and no emissions", () => {
    const sub = accountantOf(definition({ parent: "main" }));
    const [, closing] = sub.run([sample(0, { import: 0 }), sample(900, { import: 5 })]);
    expect(closing?.intervals).toHaveLength(1);
    expect([closing?.emissions, closing?.withoutFactor]).toEqual([[], []]);
  });
});

describe("a poll that brought nothing", () => {
  const silent = (why: ExchangeFailure, address?: number): readonly Sample[] => [
    sample(0, { import: 0, reactive: 0 }),
    failed(600, why, address),
    sample(1200, { import: 1200, reactive: 12 }),
  ];

  test.each([
    ["timeout", "meter-silent"],
    ["garbled", "meter-silent"],
    ["exception", "meter-exception"],
    ["unreachable", "bus-unreachable"],
  ] as const)("because of %s makes the interval's cause %s", (why, cause) => {
    const [interval] = closedBy(accountantOf().run(silent(why)));
    expect(interval).toMatchObject({ quantity: "active_energy_import_total", ticks: 900n, flag: "S", cause });
  });

  test("of one counter is no failure of the other", () => {
    const [active, reactive] = closedBy(accountantOf().run(silent("exception", REACTIVE)));
    expect(active).toMatchObject({ quantity: "active_energy_import_total", cause: "not-polled" });
    expect(reactive).toMatchObject({ quantity: "reactive_energy_import_total", cause: "meter-exception" });
  });

  test("of an input register is no failure of the holding register at its address", () => {
    const [of] = closedBy(
      accountantOf().run([
        sample(0, { import: 0 }),
        { ...sample(600, {}), failures: [{ fc: 4, address: IMPORT, count: 2, why: "timeout" }] },
        sample(1200, { import: 1200 }),
      ]),
    );
    expect(of).toMatchObject({ flag: "S", cause: "not-polled" });
  });

  test.each([
    [{ value: null, quality: "bad", why: "sentinel" }],
    [{ value: 600n, quality: "uncertain", why: "implausible" }],
  ] as const)("usable, but %o, is not counted", (unusable) => {
    const of = createAccountant(METER, FACTORS);
    const reading = (at_s: number, more: Partial<Reading>): Reading => ({
      quantity: "active_energy_import_total",
      at_ms: START_MS + at_s * 1000,
      value: BigInt(at_s),
      quality: "good",
      why: null,
      ...more,
    });
    of.take(sample(0, {}), [reading(0, {})], 0, 1);
    of.take(sample(600, {}), [reading(600, unusable)], 0, 1);
    const { intervals } = of.take(sample(1200, {}), [reading(1200, {})], 0, 1);
    expect(intervals).toMatchObject([{ ticks: 900n, flag: "S", cause: "bad-values", pollsAnswered: 1 }]);
  });
});

const course = fc
  .array(
    fc.record({
      elapsed_s: fc.oneof(fc.constant(10), fc.integer({ min: 1, max: 700 })),
      energy: fc.nat(500),
      outcome: fc.oneof(
        { weight: 5, arbitrary: fc.constant("ok" as const) },
        { weight: 1, arbitrary: fc.constant("timeout" as const) },
      ),
    }),
    { minLength: 2, maxLength: 40 },
  )
  .map((rows) => {
    let at_s = 0;
    let total = 1000;
    return rows.map(({ elapsed_s, energy, outcome }) => {
      at_s += elapsed_s;
      total += energy;
      return outcome === "ok" ? sample(at_s, { import: total, reactive: total / 2, Hz: 50 }) : failed(at_s, outcome);
    });
  });

describe("after a restart", () => {
  test("text saved before boundaries kept the reading across them still goes on", () => {
    const before = accountantOf();
    before.run([sample(0, { import: 0 })]);
    const old = before.save().replaceAll(',"across":null', "");
    expect(old).not.toContain("across");
    const after = accountantOf();
    after.restore(old);
    const [interval] = closedBy(after.run([sample(895, { import: 895 }), sample(905, { import: 905 })]));
    expect(interval?.opening).toMatchObject({ count: 0n, across: null });
    expect(interval?.closing).toMatchObject({
      count: 900n,
      words: { at_ms: START_MS + 905_000 },
      across: { hex: "0000037F", at_ms: START_MS + 895_000 },
    });
  });

  test("law: accounts that were saved anywhere go on to the same intervals and emissions", () => {
    fc.assert(
      fc.property(course, fc.nat(), (samples, at) => {
        const whole = accountantOf().run(samples);
        const cut = at % (samples.length + 1);
        const before = accountantOf();
        const first = before.run(samples.slice(0, cut));
        const after = accountantOf();
        after.restore(before.save());
        expect([...first, ...after.run(samples.slice(cut))]).toEqual(whole);
        expect(after.save()).toBe(accountOf(samples));
      }),
    );
  });

  function accountOf(samples: readonly Sample[]): string {
    const accountant = accountantOf();
    accountant.run(samples);
    return accountant.save();
  }

  test("a meter whose name looks like an integer or like nothing is still that meter", () => {
    for (const id of ["12n", "NaN"]) {
      const meter = definition({ id });
      const before = accountantOf(meter);
      before.take(sample(0, { import: 1 }));
      const after = accountantOf(meter);
      after.restore(before.save());
      expect(closedBy([after.take(sample(900, { import: 2 }))])[0]?.device).toBe(id);
    }
  });

  test("accounts without a reading yet begin as if new", () => {
    const after = accountantOf();
    after.restore(accountantOf().save());
    after.take(sample(0, { import: 1 }));
    expect(closedBy([after.take(sample(900, { import: 3 }))])).toMatchObject([{ ticks: 2n, flag: "M" }]);
  });

  test("an account goes on when only how often and how fast has changed", () => {
    const before = accountantOf();
    before.take(sample(0, { import: 0 }));
    const after = accountantOf(definition({ every: { power_ms: 1000, energy_ms: 60_000 }, rated_power_W: 1e6 }));
    after.restore(before.save());
    expect(closedBy([after.take(sample(900, { import: 900 }))])).toMatchObject([{ ticks: 900n, pollsExpected: 15 }]);
  });

  test.each([
    [
      "ticks are worth something else",
      { ...METER, counters: METER.counters.map((c) => ({ ...c, tick: { amount: "10", unit: "Wh" as const } })) },
    ],
    ["the register wraps elsewhere", { ...METER, counters: METER.counters.map((c) => ({ ...c, modulus: 10n ** 9n })) }],
    ["intervals are longer", { ...METER, interval_ms: 3_600_000 }],
    ["days begin elsewhere", { ...METER, time_zone: "Asia/Kathmandu" }],
  ])("an account starts again when %s", (_, changed) => {
    const before = accountantOf();
    before.take(sample(0, { import: 0 }));
    const after = createAccountant(changed, FACTORS);
    const accountsIn = (text: string) => (JSON.parse(text) as { readonly accounts: unknown }).accounts;
    const empty = accountsIn(after.save());
    after.restore(before.save());
    expect(accountsIn(after.save())).toEqual(empty);
  });

  test("a counter that is no longer accounted is left behind", () => {
    const before = accountantOf();
    before.run([sample(0, { import: 0, reactive: 0 })]);
    const counters = METER.counters.map((c, i) => ({ ...c, accounted: i === 0 }));
    const after = accountantOf({ ...METER, counters });
    after.restore(before.save());
    expect(closedBy([after.take(sample(900, { import: 9, reactive: 9 }))])).toHaveLength(1);
  });
});

describe("another meter in the place of one", () => {
  const SERIAL = 64_512;
  const TOLD = defineDevice(
    model([
      counter("active_energy_import_total", IMPORT, "kWh"),
      register({ name: "serial_number", type: "u32", address: SERIAL, kind: "info" }),
    ]),
    setup("electricity", { every: { power_ms: 1000, energy_ms: 10_000, settings_ms: 86_400_000 } }),
    ACCOUNT,
  );
  /** A poll of its counter, of its serial number, or of both; of neither: it was silent. */
  const polled = (at_s: number, { count, serial }: { readonly count?: number; readonly serial?: number }): Sample => {
    const both = sample(at_s, count === undefined ? {} : { import: count });
    const isSilent = count === undefined && serial === undefined;
    return {
      ...both,
      blocks: [
        ...both.blocks,
        ...(serial === undefined ? [] : [{ fc: 3 as const, address: SERIAL, words: u32(serial) }]),
      ],
      failures: isSilent ? [{ fc: 3, address: IMPORT, count: 2, why: "timeout" }] : [],
    };
  };
  const silence = (...at_s: number[]) => at_s.map((one) => polled(one, {}));
  const swapsOf = (results: readonly Accounted[]) => results.flatMap(({ swap }) => (swap === null ? [] : [swap]));

  test("may tell who it is after its first count: the count waits for that", () => {
    const results = accountantOf(TOLD).run([
      polled(0, { count: 1000, serial: 1 }),
      polled(100, { count: 1100 }),
      ...silence(110, 120, 130),
      polled(200, { count: 1150 }),
      polled(201, { serial: 2 }),
      polled(900, { count: 1250 }),
    ]);
    expect(swapsOf(results)).toEqual([
      {
        kind: "meter-swap",
        at_ms: START_MS + 200_000,
        device: "meter",
        serialBefore: "1",
        serialAfter: "2",
        counters: [{ quantity: "active_energy_import_total", last: 1100n, first: 1150n }],
      },
    ]);
    expect(closedBy(results)).toMatchObject([{ ticks: 200n, flag: "X", cause: "meter-replaced" }]);
  });

  test("is not assumed of one that comes back, tells the same number, or none before its next count", () => {
    for (const answer of [[polled(201, { serial: 1 })], []]) {
      const results = accountantOf(TOLD).run([
        polled(0, { count: 1000, serial: 1 }),
        ...silence(110, 120, 130),
        polled(200, { count: 1150 }),
        ...answer,
        polled(900, { count: 1250 }),
      ]);
      expect(swapsOf(results)).toEqual([]);
      expect(closedBy(results)).toMatchObject([{ ticks: 250n }]);
    }
  });

  test("is not assumed of one whose number reads zero, as after a restart of its own", () => {
    const results = accountantOf(TOLD).run([
      polled(0, { count: 1000, serial: 1 }),
      polled(10, { count: 1010, serial: 0 }),
      polled(900, { count: 1100, serial: 1 }),
    ]);
    expect(swapsOf(results)).toEqual([]);
    expect(closedBy(results)).toMatchObject([{ ticks: 100n }]);
  });

  test("is suspected where a count makes no sense, once a minute: the meter is asked", () => {
    const results = accountantOf(TOLD).run([
      polled(0, { count: 1000, serial: 1 }),
      polled(10, { count: 5 }),
      polled(11, { count: 6, serial: 2 }),
      polled(20, { count: 2 }),
      polled(900, { count: 50 }),
    ]);
    expect(results.map(({ asksWho }) => asksWho)).toEqual([false, true, false, false, false]);
    expect(swapsOf(results)).toMatchObject([{ at_ms: START_MS + 10_000, counters: [{ last: 1000n, first: 5n }] }]);
    expect(closedBy(results)).toMatchObject([{ ticks: 49n, flag: "X" }]);
  });

  test("is noticed by the first dated count if it told its number before the time was known", () => {
    const accountant = accountantOf(TOLD);
    accountant.take(polled(0, { count: 1000, serial: 1 }));
    accountant.identify(polled(500, { count: 2000, serial: 2 }), 1);
    expect(accountant.take(polled(600, { count: 2100 })).swap).toMatchObject({ serialAfter: "2" });
  });

  test("gives the same figures whenever the accounts are saved and gone on with (law)", () => {
    const poll = fc.oneof(
      { weight: 6, arbitrary: fc.record({ count: fc.integer({ min: 0, max: 3000 }) }) },
      {
        weight: 2,
        arbitrary: fc.record({ count: fc.integer({ min: 0, max: 3000 }), serial: fc.integer({ min: 0, max: 2 }) }),
      },
      { weight: 2, arbitrary: fc.record({ serial: fc.integer({ min: 0, max: 2 }) }) },
      { weight: 3, arbitrary: fc.constant({}) },
    );
    fc.assert(
      fc.property(fc.array(poll, { maxLength: 40 }), fc.nat({ max: 40 }), (polls, cut) => {
        const samples = polls.map((one, i) => polled(i * 100, one));
        const whole = accountantOf(TOLD).run(samples);
        const first = accountantOf(TOLD);
        const before = first.run(samples.slice(0, cut));
        const second = accountantOf(TOLD);
        second.restore(first.save());
        expect([...before, ...second.run(samples.slice(cut))]).toEqual(whole);
      }),
    );
  });
});

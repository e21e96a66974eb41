import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { loadModelLibrary } from "../../../config/models.ts";
import { CARRIER_IDS, type CarrierId } from "../../../core/emission/carriers.ts";
import type { Emission } from "../../../core/emission/emission.ts";
import { GASES } from "../../../core/emission/factor.ts";
import { type Boundary, INTERVAL_CAUSES, type Interval } from "../../../core/interval/interval.ts";
import type { DeviceDefinition } from "../../../core/model/deviceDefinition.ts";
import type { MeterModel } from "../../../core/model/meterModel.ts";
import { QUALITY_REASONS, type Reading } from "../../../core/reading/reading.ts";
import { QUANTITIES, QUANTITY_IDS, type QuantityId } from "../../../core/units/quantities.ts";
import { UNITS, type UnitNotation } from "../../../core/units/units.ts";
import { MetricName } from "../../../core/wire/ack.ts";
import {
  type BornMetric,
  counterValue,
  deviceMetrics,
  emissionMetric,
  formatWords,
  intervalMetric,
  type MetricContent,
  metricContent,
  type Naming,
  parseTick,
  parseWords,
  profileOfBirth,
  readingMetric,
  writeBatch,
  writeReadings,
} from "../../../core/wire/content.ts";
import {
  DataType,
  type DataTypeCode,
  decodePayload,
  encodeMessage,
  encodePayload,
  type Metric,
  property,
} from "../../../core/wire/payload.ts";
import { defineDevice } from "../../../drivers/define.ts";

const SENT_MS = 1_760_000_000_000;

/** Names handed out as a session would, and the birth entry behind each. */
function session(isHistorical: boolean): { naming: Naming; nameOf(alias: number): string } {
  const names: string[] = [];
  return {
    naming: {
      isHistorical,
      aliasOf(name) {
        if (!names.includes(name)) names.push(name);
        return names.indexOf(name) + 1;
      },
    },
    nameOf: (alias) => names[alias - 1] ?? "",
  };
}

function born(name: string): BornMetric {
  const isGauge = Object.values(QUANTITIES).some(({ wire, kind }) => wire === name && kind === "gauge");
  return { name, alias: null, datatype: isGauge ? DataType.Double : DataType.Int64, properties: {} };
}

/** Over the wire and back, as edge and cloud do it. */
function carried(isHistorical: boolean, make: (naming: Naming) => Metric): MetricContent {
  const { naming, nameOf } = session(isHistorical);
  const bytes = encodePayload({ timestamp_ms: SENT_MS, seq: 3, metrics: [make(naming)] });
  const [metric] = decodePayload(bytes).metrics;
  if (metric?.isHistorical !== (isHistorical ? true : undefined)) throw new Error("is_historical was lost");
  return metricContent("meter", metric!, born(nameOf(metric?.alias ?? 0)), SENT_MS);
}

const instant = fc.integer({ min: 1, max: 4_000_000_000_000 });
const int64 = fc.bigInt({ min: 0n, max: 2n ** 53n - 1n });
const text = fc.string({ maxLength: 20, unit: "grapheme" });
const quantity = fc.constantFrom(...QUANTITY_IDS);
const counterQuantity = fc.constantFrom(...QUANTITY_IDS.filter((id) => QUANTITIES[id].kind === "counter"));
const amount = fc.constantFrom("1", "10", "0.001", "0.0625", "1000");
const tick = fc.record({ amount, unit: fc.constantFrom(...(Object.keys(UNITS) as UnitNotation[])) });
const why = fc.constantFrom(...QUALITY_REASONS);

const reading: fc.Arbitrary<Reading> = fc
  .tuple(quantity, instant, fc.double({ noNaN: true }), int64, fc.nat(3), why)
  .map(([id, at_ms, gauge, ticks, kind, because]): Reading => {
    const value = QUANTITIES[id].kind === "counter" ? ticks : gauge;
    if (kind === 0) return { quantity: id, at_ms, value: null, quality: "bad", why: because };
    if (kind === 1) return { quantity: id, at_ms, value, quality: "uncertain", why: because };
    if (kind === 2) return { quantity: id, at_ms, value, quality: "stale", why: null };
    return { quantity: id, at_ms, value, quality: "good", why: null };
  });

const words = fc.record({
  fc: fc.constantFrom(3 as const, 4 as const),
  address: fc.integer({ min: 0, max: 65_535 }),
  hex: fc.stringMatching(/^([0-9A-F]{4}){1,4}$/),
  at_ms: instant,
});

const boundary: fc.Arbitrary<Boundary | null> = fc.option(
  fc.record({ count: int64, words: fc.option(words), across: fc.option(words) }),
);

const interval: fc.Arbitrary<Interval> = fc
  .record({
    device: fc.constant("meter"),
    quantity: counterQuantity,
    from_ms: instant,
    length_ms: fc.integer({ min: 1, max: 86_400_000 }),
    tick,
    ticks: fc.option(int64),
    flag: fc.constantFrom("M" as const, "C" as const, "S" as const, "E" as const, "X" as const),
    coverage: fc.double({ min: 0, max: 1, noNaN: true }),
    pollsExpected: fc.nat(100_000),
    pollsAnswered: fc.nat(100_000),
    cause: fc.option(fc.constantFrom(...INTERVAL_CAUSES)),
    opening: boundary,
    closing: boundary,
  })
  .map(({ length_ms, ...rest }) => ({ ...rest, to_ms: rest.from_ms + length_ms }));

const emission: fc.Arbitrary<Emission> = fc
  .record({
    device: fc.constant("meter"),
    from_ms: instant,
    length_ms: fc.integer({ min: 1, max: 86_400_000 }),
    gas: fc.constantFrom(...GASES),
    mg: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    scope: fc.constantFrom(1 as const, 2 as const),
    carrier: fc.constantFrom(...CARRIER_IDS),
    factorId: text,
    factorVersion: text,
    match: fc.constantFrom("exact" as const, "provisional" as const),
    ncv_MJ_per_Nm3: fc.option(fc.constantFrom("37.2", "37.68")),
  })
  .map(({ length_ms, ...rest }) => ({ ...rest, to_ms: rest.from_ms + length_ms }));

describe("what is sent is what is read", () => {
  test("law: a reading, with its quality and the reason for it", () => {
    fc.assert(
      fc.property(reading, fc.boolean(), (sent, isHistorical) => {
        expect(carried(isHistorical, (naming) => readingMetric(sent, naming))).toEqual({
          kind: "reading",
          reading: sent,
        });
      }),
    );
  });

  test("law: readings written into a message are the bytes of their metrics, sent live or later", () => {
    fc.assert(
      fc.property(fc.array(reading, { maxLength: 5 }), fc.boolean(), (readings, isHistorical) => {
        const aliasOf = (name: string) => name.length;
        const aliasOfReading = (quantity: QuantityId) => aliasOf(QUANTITIES[quantity].wire);
        const naming = { isHistorical, aliasOf, aliasOfReading };
        const metrics = readings.map((one) => readingMetric(one, naming));
        const written = encodeMessage(7, 255, (to) => writeReadings(to, readings, naming));
        expect(written).toEqual(encodePayload({ timestamp_ms: 7, metrics, seq: 255 }));
      }),
    );
  });

  test("law: an interval, with its boundaries and the words behind them", () => {
    fc.assert(
      fc.property(interval, fc.boolean(), (sent, isHistorical) => {
        expect(carried(isHistorical, (naming) => intervalMetric(sent, naming))).toEqual({
          kind: "interval",
          interval: sent,
        });
      }),
    );
  });

  test("law: an emission, to the milligram and the name of its factor", () => {
    fc.assert(
      fc.property(emission, fc.boolean(), (sent, isHistorical) => {
        expect(carried(isHistorical, (naming) => emissionMetric(sent, naming))).toEqual({
          kind: "emission",
          emission: sent,
        });
      }),
    );
  });

  test("law: words of a register", () => {
    fc.assert(
      fc.property(words, (sent) => {
        expect(parseWords(formatWords(sent))).toEqual(sent);
      }),
    );
  });

  test("the number of a batch", () => {
    for (const number of [1, 7, Number.MAX_SAFE_INTEGER]) {
      const { naming } = session(false);
      const [read] = decodePayload(encodeMessage(SENT_MS, 0, (to) => writeBatch(to, number, SENT_MS, naming))).metrics;
      expect(read?.isTransient).toBe(true);
      expect(metricContent("meter", read!, born(MetricName.deliveryBatch), SENT_MS)).toEqual({ kind: "batch", number });
    }
  });
});

describe("a reading that says less than ours do", () => {
  const read = (metric: Metric, name = "Voltage/L1") => metricContent("meter", metric, born(name), SENT_MS);

  test("is good without a quality, and dated by its payload without a timestamp", () => {
    expect(read({ doubleValue: 230 })).toEqual({
      kind: "reading",
      reading: { quantity: "voltage_l1", at_ms: SENT_MS, value: 230, quality: "good", why: null },
    });
  });

  test("is bad without a value", () => {
    expect(read({ isNull: true })).toMatchObject({ reading: { value: null, quality: "bad" } });
    expect(read({ isNull: true, properties: new Map([["x", property.string("y")]]) })).toMatchObject({
      reading: { quality: "bad" },
    });
  });

  test("is uncertain for a reason this version does not know", () => {
    const properties = new Map([["QualityReason", property.string("sunspots")]]);
    expect(read({ doubleValue: 1, properties })).toMatchObject({ reading: { quality: "uncertain", why: null } });
  });

  test("is uncertain if its register cannot hold the count, so that nothing is computed from it", () => {
    const register: BornMetric = { ...born("Energy/Active/Import/Total"), properties: { modulus: "1000" } };
    const at = (count: bigint) => metricContent("meter", { longValue: BigInt.asUintN(64, count) }, register, SENT_MS);
    expect(at(999n)).toMatchObject({ reading: { value: 999n, quality: "good" } });
    expect(at(1000n)).toMatchObject({ reading: { value: 1000n, quality: "uncertain", why: "out-of-range" } });
    expect(at(-1n)).toMatchObject({ reading: { value: -1n, quality: "uncertain", why: "out-of-range" } });
  });

  test("is nothing of ours under another name", () => {
    expect(read({ doubleValue: 1 }, "Vendor/Specific")).toEqual({ kind: "other" });
    expect(read({ stringValue: "x" }, "Properties/Model")).toEqual({ kind: "other" });
  });
});

describe("what is damaged is named, never thrown", () => {
  const intact = (make: (naming: Naming) => Metric): Metric => make(session(false).naming);
  const anInterval = intact((naming) =>
    intervalMetric(
      {
        device: "meter",
        quantity: "active_energy_import_total",
        from_ms: SENT_MS - 900_000,
        to_ms: SENT_MS,
        tick: { amount: "1", unit: "Wh" },
        ticks: 5n,
        flag: "M",
        coverage: 1,
        pollsExpected: 1,
        pollsAnswered: 1,
        cause: null,
        opening: null,
        closing: null,
      },
      naming,
    ),
  );
  const anEmission = intact((naming) =>
    emissionMetric(
      {
        device: "meter",
        from_ms: SENT_MS - 900_000,
        to_ms: SENT_MS,
        gas: "co2",
        mg: 5n,
        scope: 2,
        carrier: "electricity",
        factorId: "f",
        factorVersion: "1",
        match: "exact",
        ncv_MJ_per_Nm3: null,
      },
      naming,
    ),
  );
  const NAMES = ["Interval/Energy/Active/Import/Total", "Emissions/CO2"] as const;
  const of = (metric: Metric, name: string) => metricContent("meter", metric, born(name), SENT_MS).kind;
  const without = (metric: Metric, key: string): Metric => {
    const properties = new Map(metric.properties);
    properties.delete(key);
    return { ...metric, properties };
  };
  const having = (metric: Metric, key: string, value: ReturnType<typeof property.string>): Metric => ({
    ...metric,
    properties: new Map([...(metric.properties ?? []), [key, value]]),
  });

  test.each(["start_ms", "flag", "tick"])("an interval without %s", (key) => {
    expect(of(anInterval, NAMES[0])).toBe("interval");
    expect(of(without(anInterval, key), NAMES[0])).toBe("malformed");
  });

  test.each([
    ["start_ms", property.int64(SENT_MS)],
    ["start_ms", property.int64(2n ** 62n)],
    ["start_ms", property.string("0")],
    ["flag", property.string("Q")],
    ["tick", property.string("1 kWh")],
    ["tick", property.string("-1 W.h")],
    ["tick", property.string("W.h")],
    ["tick", property.string("1e3 W.h")],
  ])("an interval whose %s is %o", (key, value) => {
    expect(of(having(anInterval, key, value), NAMES[0])).toBe("malformed");
  });

  test("an interval of a quantity nobody knows, or that is no integer", () => {
    expect(of(anInterval, "Interval/Soul/Total")).toBe("malformed");
    expect(of({ ...anInterval, datatype: DataType.Double, doubleValue: 1.5 }, NAMES[0])).toBe("malformed");
  });

  test("an interval takes the tick of its birth if it carries none", () => {
    const register: BornMetric = { ...born(NAMES[0]), properties: { tick: "10 W.h" } };
    expect(metricContent("meter", without(anInterval, "tick"), register, SENT_MS)).toMatchObject({
      interval: { tick: { amount: "10", unit: "Wh" } },
    });
  });

  test("a cause of a newer version is no cause of ours", () => {
    const read = metricContent(
      "meter",
      having(anInterval, "cause", property.string("aliens")),
      born(NAMES[0]),
      SENT_MS,
    );
    expect(read).toMatchObject({ interval: { cause: null } });
  });

  test.each(["start_ms", "scope", "carrier", "factorId", "factorVersion", "match"])("an emission without %s", (key) => {
    expect(of(anEmission, NAMES[1])).toBe("emission");
    expect(of(without(anEmission, key), NAMES[1])).toBe("malformed");
  });

  test.each([
    ["scope", property.int32(3)],
    ["carrier", property.string("plutonium")],
    ["match", property.string("guessed")],
    ["start_ms", property.int64(SENT_MS)],
  ])("an emission whose %s is %o", (key, value) => {
    expect(of(having(anEmission, key, value), NAMES[1])).toBe("malformed");
  });

  test("an emission of an unknown gas, or without a mass", () => {
    expect(of(anEmission, "Emissions/Xe")).toBe("malformed");
    expect(of({ ...anEmission, isNull: true }, NAMES[1])).toBe("malformed");
  });

  test("a batch number that numbers no batch", () => {
    for (const longValue of [0n, 2n ** 64n - 1n, 2n ** 60n])
      expect(of({ longValue }, MetricName.deliveryBatch)).toBe("malformed");
    expect(of({ stringValue: "1" }, MetricName.deliveryBatch)).toBe("malformed");
  });

  test("a text where a number belongs", () => {
    const typed: BornMetric = { ...born("Voltage/L1"), datatype: DataType.String };
    expect(metricContent("meter", { stringValue: "230" }, typed, SENT_MS).kind).toBe("malformed");
  });

  test("law: whatever the properties hold", () => {
    const KEYS = [
      "start_ms",
      "flag",
      "coverage",
      "polls_expected",
      "tick",
      "cause",
      "openingCount",
      "opening",
      "openingAcross",
      "closing",
    ];
    const MORE = ["scope", "carrier", "factorId", "match", "Quality", "QualityReason", "ncv_MJ_per_Nm3"];
    const value = fc.oneof(
      text.map(property.string),
      fc.constantFrom("M", "1 W.h", "3:7:00AB@5", "electricity").map(property.string),
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(property.int64),
      fc.integer().map((n) => property.int32(n | 0)),
      fc.double().map(property.double),
      fc.constant({ isNull: true }),
      fc.constant({}),
    );
    const properties = fc.array(fc.tuple(fc.constantFrom(...KEYS, ...MORE), value), { maxLength: 12 });
    const content = fc.record(
      {
        longValue: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
        doubleValue: fc.double(),
        stringValue: text,
        isNull: fc.boolean(),
      },
      { requiredKeys: [] },
    );
    const name = fc.constantFrom(...NAMES, "Voltage/L1", "Energy/Active/Import/Total", MetricName.deliveryBatch, "x");
    const datatype = fc.integer({ min: 0, max: 40 });
    fc.assert(
      fc.property(content, properties, name, datatype, text, (value_, pairs, metricName, code, modulus) => {
        const metric: Metric = { ...value_, properties: new Map(pairs) };
        const birth: BornMetric = {
          name: metricName,
          alias: 1,
          datatype: code,
          properties: { tick: modulus, modulus },
        };
        expect(metricContent("meter", metric, birth, SENT_MS).kind).toMatch(
          /^(reading|interval|emission|batch|other|malformed)$/,
        );
      }),
      { numRuns: 500 },
    );
  });
});

describe("the birth of a meter", () => {
  /** What a collector keeps of a birth that came over the wire. */
  function overTheWire(definition: DeviceDefinition): BornMetric[] {
    const metrics = deviceMetrics(definition).map(
      ({ name, datatype, properties: { value, ...texts } }, i): Metric => ({
        name,
        alias: i + 1,
        timestamp_ms: SENT_MS,
        datatype: datatype as DataTypeCode,
        ...(value === undefined ? { isNull: true } : { stringValue: value }),
        properties: new Map(Object.entries(texts).map(([key, of]) => [key, property.string(of)])),
      }),
    );
    return decodePayload(encodePayload({ timestamp_ms: SENT_MS, seq: 1, metrics })).metrics.map((metric) => ({
      name: metric.name ?? "",
      alias: metric.alias ?? null,
      datatype: metric.datatype ?? 0,
      properties: {
        ...Object.fromEntries([...(metric.properties ?? [])].map(([key, { stringValue = "" }]) => [key, stringValue])),
        ...(metric.stringValue === undefined ? {} : { value: metric.stringValue }),
      },
    }));
  }

  function definitionOf(model: MeterModel, carrier: CarrierId, more: object = {}): DeviceDefinition | null {
    try {
      const setup = {
        id: "meter",
        carrier,
        role: "import" as const,
        parent: null,
        every: { power_ms: 1000, energy_ms: 10_000 },
        ct_ratio: 40,
        vt_ratio: 1,
        m3_per_count: 0.1,
        ...more,
      };
      return defineDevice(model, setup, { interval_ms: 900_000, time_zone: "Asia/Ho_Chi_Minh" });
    } catch {
      return null;
    }
  }

  const definitions = [...loadModelLibrary().values()].flatMap((model) =>
    CARRIER_IDS.flatMap((carrier) => definitionOf(model, carrier) ?? []),
  );

  test("of every model as every carrier it can be gives back what the edge counts by", () => {
    expect(definitions.length).toBeGreaterThan(30);
    for (const definition of definitions) {
      expect(profileOfBirth("meter", overTheWire(definition)), definition.model).toEqual({
        device: "meter",
        name: null,
        model: definition.model,
        modelVersion: definition.modelVersion,
        carrier: definition.carrier,
        role: definition.role,
        parent: null,
        interval_ms: 900_000,
        time_zone: "Asia/Ho_Chi_Minh",
        ncv_MJ_per_Nm3: null,
        accuracy: null,
        supplier: null,
        counters: definition.counters,
      });
    }
  });

  test("names no metric twice and ends with the batch number", () => {
    for (const definition of definitions) {
      const names = deviceMetrics(definition).map(({ name }) => name);
      expect(new Set(names).size, definition.model).toBe(names.length);
      expect(names.at(-1)).toBe(MetricName.deliveryBatch);
    }
  });

  test("carries name, parent, role and calorific value where there are any", () => {
    const sick = loadModelLibrary().get("sick-flowsic500")!;
    const definition = definitionOf(sick, "natural_gas", {
      role: "use",
      parent: "main",
      name: { vi: "Lò hơi", en: "Boiler" },
      ncv: { value: "37.2", source: "certificate" },
    });
    expect(profileOfBirth("meter", overTheWire(definition!))).toMatchObject({
      name: { vi: "Lò hơi", en: "Boiler" },
      role: "use",
      parent: "main",
      ncv_MJ_per_Nm3: "37.2",
    });
  });

  test("carries accuracy classes and the seller of the zone where they are stated, and nothing where not", () => {
    const eastron = loadModelLibrary().get("eastron-sdm630")!;
    const bare = definitionOf(eastron, "electricity", {})!;
    const stated = definitionOf(eastron, "electricity", { meter_class: 0.5, ct_class: 0.2, supplier: "boiler-house" })!;
    expect(profileOfBirth("meter", overTheWire(bare))).toMatchObject({ accuracy: null, supplier: null });
    expect(profileOfBirth("meter", overTheWire(stated))).toMatchObject({
      accuracy: { meter_pct: 0.5, ct_pct: 0.2, vt_pct: null },
      supplier: "boiler-house",
    });
    expect(deviceMetrics(stated).length - deviceMetrics(bare).length).toBe(3);
    for (const value of ["0", "-1", "101", "half", ""]) {
      expect(profileOfBirth("meter", withConstant("MeterClass", value))?.accuracy).toBeNull();
    }
  });

  test("announces emissions for a meter at the fence that emits, and for no other", () => {
    const names = (carrier: CarrierId, more: object = {}) =>
      deviceMetrics(definitionOf(loadModelLibrary().get("eastron-sdm630")!, carrier, more)!).map(({ name }) => name);
    expect(names("electricity").filter((name) => name.startsWith("Emissions/"))).toHaveLength(GASES.length);
    for (const more of [{ role: "use" }, { role: "generation" }, { parent: "main" }]) {
      expect(names("electricity", more).filter((name) => name.startsWith("Emissions/"))).toEqual([]);
    }
    expect(names("solar").filter((name) => name.startsWith("Emissions/"))).toEqual([]);
  });

  const whole = overTheWire(definitions[0]!);
  const withConstant = (name: string, value: string) =>
    whole.map((m) => (m.name === `Properties/${name}` ? { ...m, properties: { ...m.properties, value } } : m));

  test.each([
    ["Carrier", "plutonium"],
    ["Role", "owner"],
    ["Interval_ms", "0"],
    ["Interval_ms", "1"],
    ["Interval_ms", "1e400"],
    ["Interval_ms", "1000.5"],
    ["Interval_ms", "quarter"],
    ["TimeZone", "Mars/Olympus"],
    ["TimeZone", ""],
  ])("whose %s is %j is no meter of ours", (name, value) => {
    expect(profileOfBirth("meter", whole)).not.toBeNull();
    expect(profileOfBirth("meter", withConstant(name, value))).toBeNull();
  });

  test("of a plain Sparkplug device is none of ours", () => {
    expect(profileOfBirth("meter", [{ name: "Temp", alias: 1, datatype: DataType.Double, properties: {} }])).toBeNull();
    expect(profileOfBirth("meter", [])).toBeNull();
  });

  test("whose calorific value is no number has none", () => {
    for (const value of ["high", "-1", "1e3", ""]) {
      expect(profileOfBirth("meter", withConstant("Ncv_MJ_per_Nm3", value))?.ncv_MJ_per_Nm3).toBeNull();
    }
  });

  test.each([
    ["modulus", "0"],
    ["modulus", "-5"],
    ["modulus", "1e9"],
    ["rateMax_ticks_per_s", "0"],
    ["poll_ms", "never"],
    ["tick", "1 furlong"],
  ])("whose counter says %s %j has no such counter", (key, value) => {
    const damaged = whole.map((m) =>
      m.properties.modulus === undefined ? m : { ...m, properties: { ...m.properties, [key]: value } },
    );
    expect(profileOfBirth("meter", whole)?.counters.length).toBeGreaterThan(0);
    expect(profileOfBirth("meter", damaged)?.counters).toEqual([]);
  });

  test("law: whatever it says, it is read or refused", () => {
    const metric = fc.record({
      name: fc.oneof(
        text,
        fc.constantFrom("Properties/Carrier", "Properties/Role", "Properties/Interval_ms", "Properties/TimeZone"),
        fc.constantFrom("Energy/Active/Import/Total", "Voltage/L1"),
      ),
      alias: fc.option(fc.nat()),
      datatype: fc.nat(40),
      properties: fc.dictionary(
        fc.constantFrom("value", "tick", "modulus", "rateMax_ticks_per_s", "poll_ms", "__proto__"),
        fc.oneof(
          text,
          fc.constantFrom("electricity", "import", "900000", "UTC", "1 W.h", "5", "99999999999999999999999"),
        ),
      ),
    });
    fc.assert(
      fc.property(fc.array(metric, { maxLength: 10 }), (metrics) => {
        expect(() => profileOfBirth("meter", metrics)).not.toThrow();
      }),
    );
  });
});

test.each([
  ["1 W.h", { amount: "1", unit: "Wh" }],
  ["0.001 m3{normal}", { amount: "0.001", unit: "Nm3" }],
  ["1 1", { amount: "1", unit: "" }],
  ["1", null],
  ["", null],
  [" W.h", null],
  ["1  W.h", null],
  ["one W.h", null],
])("a tick of %j is %o", (written, expected) => {
  expect(parseTick(written)).toEqual(expected);
});

test.each(["", "5:7:00AB@1", "3:7:@1", "3:7:00ab@1", "3:7:00AB", "3:999999:00AB@1"])(
  "%j is no register words",
  (written) => {
    expect(parseWords(written)).toBeNull();
  },
);

test("a total is shown in the unit of its quantity", () => {
  expect(counterValue(1500n, { amount: "1", unit: "Wh" }, "kWh")).toBe(1.5);
  expect(counterValue(1500n, { amount: "10", unit: "varh" }, "kvarh")).toBe(15);
  expect(counterValue(1500n, { amount: "0.001", unit: "Nm3" }, "Nm3")).toBe(1.5);
  // As products of floating-point numbers these were 496396.98600000003 and 0.018000000000000002.
  expect(String(counterValue(496_396_986n, { amount: "1", unit: "Wh" }, "kWh"))).toBe("496396.986");
  expect(String(counterValue(18n, { amount: "1", unit: "Wh" }, "kWh"))).toBe("0.018");
});

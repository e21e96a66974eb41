import fc from "fast-check";
import { expect, test } from "vitest";
import type { LoadSpec } from "../../../hw-sim/simConfig.ts";
import { local, MODELS, meterOf, rawOf, STEEL, shown } from "../fixture.ts";

const text = (words: Uint16Array) =>
  [...words]
    .flatMap((word) => [word >> 8, word & 0xff])
    .filter((code) => code !== 0)
    .map((code) => String.fromCharCode(code))
    .join("");

const words = (answer: Uint16Array | { readonly exception: number }) => {
  if (!(answer instanceof Uint16Array)) throw new Error(`exception ${answer.exception}`);
  return answer;
};

const SUN: LoadSpec = { shape: "solar", peak_W: 640_000 };

test.each([65, 66] as const)(
  "a SunSpec chain with a common model of %s registers can be walked to its end",
  (length) => {
    const meter = meterOf({
      model: "sunspec-inverter-101-103",
      load: SUN,
      rated_power_W: 640_000,
      sunspec_common_length: length,
    });
    const at = local("2026-05-04T12:00");
    expect([...words(meter.read(3, 40_000, 2, at))]).toEqual([0x5375, 0x6e53]);
    const seen: number[] = [];
    let address = 40_002;
    for (let step = 0; step < 5; step++) {
      const [id, long] = words(meter.read(3, address, 2, at));
      seen.push(id!);
      if (id === 0xffff) {
        expect(long).toBe(0);
        break;
      }
      expect(meter.read(3, address, long! + 2, at)).toBeInstanceOf(Uint16Array);
      if (id === 103) expect(address).toBe(meter.base);
      address += long! + 2;
    }
    expect(seen).toEqual([1, 103, 160, 0xffff]);
    expect(text(words(meter.read(3, 40_004, 16, at)))).toBe("SunSpec");
    expect(text(words(meter.read(3, 40_052, 16, at)))).toMatch(/^\d{8}$/);
    expect(meter.read(3, address + 2, 1, at)).toEqual({ exception: 2 });
  },
);

test("an inverter's values fit its scale exponents by day and mean the same as its gauges", () => {
  const meter = meterOf({ model: "sunspec-inverter-101-103", load: SUN, rated_power_W: 640_000 });
  const days = fc.integer({ min: 0, max: 364 });
  const hours = fc.double({ min: 8, max: 15, noNaN: true });
  fc.assert(
    fc.property(days, hours, (day, hour) => {
      const at = local("2026-01-01") + Math.floor((day * 24 + hour) * 3_600_000);
      const gauges = meter.gauges(at);
      expect(shown(meter, "status", at)).toBe(4);
      expect(
        Math.abs(shown(meter, "active_power_total", at) - (gauges.active_power_total as number)),
      ).toBeLessThanOrEqual(50);
      expect(Math.abs(shown(meter, "current_l1", at) - (gauges.current_l1 as number))).toBeLessThanOrEqual(0.05);
      expect(shown(meter, "voltage_l1", at)).toBeCloseTo(gauges.voltage_l1 as number, 1);
      expect(shown(meter, "frequency", at)).toBeCloseTo(gauges.frequency as number, 1);
      expect(shown(meter, "power_factor_total", at)).toBeCloseTo(1, 2);
      expect(shown(meter, "dc_power", at)).toBeGreaterThan(gauges.active_power_total as number);
    }),
  );
});

test("an inverter sleeps at night: no power, no power factor, and its energy stays", () => {
  const meter = meterOf({ model: "sunspec-inverter-101-103", load: SUN, rated_power_W: 640_000 });
  const night = local("2026-05-05T01:00");
  expect(shown(meter, "status", night)).toBe(2);
  expect(rawOf(meter, "active_power_total", night)).toBe(0);
  expect(rawOf(meter, "power_factor_total", night)).toBe(-32_768);
  const evening = rawOf(meter, "active_energy_export_total", local("2026-05-04T20:00"));
  expect(rawOf(meter, "active_energy_export_total", night)).toBe(evening);
  expect(Number(evening)).toBeGreaterThan(
    Number(rawOf(meter, "active_energy_export_total", local("2026-05-04T05:00"))),
  );
});

test("a gas meter counts base volume in whole counts of what the configuration says", () => {
  const meter = meterOf({
    model: "sick-flowsic500",
    load: { shape: "gas-boiler", peak_m3_per_h: 180 },
    m3_per_count: 0.1,
    start: 500.1,
  });
  fc.assert(
    fc.property(fc.integer({ min: local("2025-01-01"), max: local("2026-12-31") }), (at) => {
      const ticks = meter.ticks("volume_base_total", at);
      expect(rawOf(meter, "volume_base_total", at)).toBe(Number(ticks / 360_000_000n));
      expect(rawOf(meter, "volume_base_all_total", at)).toBe(rawOf(meter, "volume_base_total", at));
      const conversion = shown(meter, "conversion_factor", at);
      expect(shown(meter, "flow_base", at)).toBeCloseTo(shown(meter, "flow_measured", at) * conversion, 1);
      const absolute = shown(meter, "pressure_absolute", at);
      const kelvin = 273.15 + shown(meter, "temperature_gas", at);
      const ideal = (absolute / 1.01325) * (273.15 / kelvin);
      expect(conversion).toBeCloseTo(ideal / shown(meter, "compressibility_ratio", at), 4);
      expect(shown(meter, "flow_base", at)).toBeLessThanOrEqual(1.06 * 180);
    }),
  );
  expect(rawOf(meter, "volume_base_total", local("2018-01-01"))).toBe(5001);
});

test("a gas meter without m3_per_count is refused", () => {
  expect(() => meterOf({ model: "sick-flowsic500", load: { shape: "gas-boiler", peak_m3_per_h: 180 } })).toThrow(
    "COUNTER_RESOLUTION_UNKNOWN",
  );
});

test("a water meter's float64 totalizer is the integral of its flow", () => {
  const meter = meterOf({ model: "siemens-mag6000", load: { shape: "process-water", peak_m3_per_h: 26 }, start: 100 });
  const from = local("2026-05-04T09:00");
  let litres_h = 0;
  for (let minute = 0; minute < 60; minute++) litres_h += shown(meter, "volume_flow", from + minute * 60_000) / 60;
  const counted = shown(meter, "volume_total_1", from + 3_600_000) - shown(meter, "volume_total_1", from);
  expect(counted).toBeCloseTo(litres_h, 5);
  expect(counted).toBeGreaterThan(1);
  expect(shown(meter, "volume_total_1", from) - shown(meter, "volume_total_2", from)).toBeCloseTo(100, 6);
  expect(words(meter.read(3, 600, 1, from))[0]).toBe(42);
  expect(words(meter.read(3, 602, 1, from))[0]).toBe(24);
});

test("devices tell who they are as their models say", () => {
  const at = local("2026-05-04T09:00");
  const pm5000 = meterOf({ model: "schneider-pm5000", load: STEEL, name: "incomer" });
  expect(text(words(pm5000.read(3, 29, 20, at)))).toBe("incomer");
  expect(text(words(pm5000.read(3, 49, 20, at)))).toBe("PM5100");
  expect(text(words(pm5000.read(3, 69, 20, at)))).toBe("Schneider Electric");
  const em340 = meterOf({ model: "carlo-gavazzi-em340-et340", load: STEEL });
  expect(words(em340.read(3, 11, 1, at))[0]).toBe(341);
});

test("truth is the exact counter as decimal text in Wh or m3, start value included", () => {
  const at = local("2018-03-01");
  const meter = meterOf({ model: "schneider-pm5000", load: STEEL, start: 10.5 });
  expect(meter.truth(at).active_energy_import_total).toEqual({ value: String(10_500 + 217_735_630), unit: "Wh" });
  expect(meter.truth(at + 1).active_energy_import_total?.value).toBe("217746130.0058");
  const gas = meterOf({
    model: "sick-flowsic500",
    load: { shape: "gas-boiler", peak_m3_per_h: 180 },
    m3_per_count: 0.1,
    start: 2.25,
  });
  expect(gas.truth(local("2018-01-01")).volume_base_total).toEqual({ value: "2.25", unit: "Nm3" });
});

test("every model of the library that measures electricity, gas or water can be simulated, and every counter reads", () => {
  const at = local("2026-05-04T10:07");
  const refused: string[] = [];
  for (const model of MODELS.values()) {
    const measures = new Set(model.measures);
    const load: LoadSpec = measures.has("electricity")
      ? measures.has("pv")
        ? { shape: "solar", peak_W: 9000 }
        : { shape: "office", peak_W: 9000 }
      : { shape: "process-water", peak_m3_per_h: 5 };
    if (!["electricity", "gas", "water"].some((kind) => measures.has(kind))) {
      refused.push(model.id);
      continue;
    }
    const meter = meterOf({ model: model.id, load, m3_per_count: 0.1, rated_power_W: 10_000, since: "2026-01-01" });
    const {
      name,
      address,
      fc: code,
      words: count,
    } = model.registers.find((register) => register.kind === "counter" && !/_(float|v1|xh)$/.test(register.name)) ??
    model.registers[0]!;
    const answer = meter.read(code, meter.base + address, count, at);
    expect(answer instanceof Uint16Array ? "words" : answer, `${model.id} ${name}`).toBe("words");
  }
  expect(refused).toEqual([]);
});

test("a device says who it is in the words its model file gives for it", () => {
  const text = (id: string, address: number, words: number) => {
    const meter = meterOf({ model: id, load: { formula: "50e3" }, name: "east wing" });
    const read = meter.read(3, address, words, local("2026-03-02T10:00"));
    if (!(read instanceof Uint16Array)) throw new Error(`exception ${read.exception}`);
    return String.fromCharCode(...[...read].flatMap((word) => [word >> 8, word & 0xff])).replaceAll("\0", "");
  };
  expect(text("comap-intelilite4", 1307, 16)).toMatch(/^InteliLite4-/);
  expect(text("comap-intelilite4", 1323, 8)).toBe("1.0.0");
  expect(text("comap-intelilite4", 3000, 8)).toBe("east wing");
  expect(text("huawei-sun2000", 30_000, 15)).toMatch(/^SUN2000/);
  expect(text("huawei-sun2000", 30_015, 10)).toMatch(/^\d{8}$/);
});

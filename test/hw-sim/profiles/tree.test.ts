import fc from "fast-check";
import { expect, test } from "vitest";
import type { SimMeter } from "../../../hw-sim/meters/simMeter.ts";
import type { LoadSpec, SimMeterSpec } from "../../../hw-sim/simConfig.ts";
import { local, simOf } from "../fixture.ts";

const SINCE = "2025-06-01";
const pm5000 = { model: "schneider-pm5000", since: SINCE } as const;
const of = (meters: readonly SimMeter[], name: string): SimMeter => meters.find((meter) => meter.name === name)!;
const imported = (meter: SimMeter, at: number) => meter.ticks("active_energy_import_total", at);
const net = (meter: SimMeter, at: number) => imported(meter, at) - meter.ticks("active_energy_export_total", at);

const site = (incomer: Partial<SimMeterSpec>): readonly SimMeterSpec[] => [
  { unit: 1, name: "incomer", ...pm5000, ...incomer },
  { unit: 2, name: "hall", parent: "incomer", ...pm5000, load: { shape: "office", peak_W: 60_000 } },
  { unit: 3, name: "line", parent: "hall", ...pm5000, load: { shape: "furnace", peak_W: 90_000 } },
  {
    unit: 4,
    name: "air",
    parent: "line",
    model: "eastron-sdm630",
    since: SINCE,
    load: { shape: "compressors", peak_W: 40_000 },
  },
  {
    unit: 5,
    name: "roof",
    parent: "incomer",
    model: "sunspec-inverter-101-103",
    since: SINCE,
    load: { shape: "solar", peak_W: 180_000 },
  },
];

const instants = fc.array(fc.integer({ min: local("2025-06-01"), max: local("2026-06-01") }), {
  minLength: 2,
  maxLength: 5,
});

test("an incomer is its sub-meters less the sun, to the millijoule at every instant, and a meter in between as well", () => {
  fc.assert(
    fc.property(fc.nat(), instants, (seed, times) => {
      const meters = simOf(site({}), {}, seed);
      for (const at of times) {
        const [hall, line, air, roof] = ["hall", "line", "air", "roof"].map((name) => of(meters, name)) as [
          SimMeter,
          SimMeter,
          SimMeter,
          SimMeter,
        ];
        expect(net(of(meters, "incomer"), at)).toBe(imported(hall, at) - roof.ticks("active_energy_export_total", at));
        expect(imported(hall, at) > imported(line, at) || at === local(SINCE)).toBe(true);
        expect(imported(line, at) >= imported(air, at)).toBe(true);
      }
    }),
    { numRuns: 5 },
  );
});

test("losses are a part of what is drawn and something fixed, to the millijoule", () => {
  const from = local("2026-03-02");
  const meters = simOf(site({ load: { shape: "base-load", peak_W: 8000 }, losses: { percent: 1.5, fixed_W: 700 } }));
  const without = simOf(site({ load: { shape: "base-load", peak_W: 8000 } }));
  let before: bigint | null = null;
  for (let minute = 0; minute < 1440; minute++) {
    const at = from + minute * 60_000;
    const lost = net(of(meters, "incomer"), at) - net(of(without, "incomer"), at);
    if (before !== null) expect(lost - before >= 700n * 60_000n).toBe(true);
    before = lost;
  }
  const day = from + 86_400_000;
  const drawn_mJ = ["hall"]
    .map((name) => imported(of(meters, name), day) - imported(of(meters, name), from))
    .reduce((a, b) => a + b);
  const rest_mJ = (() => {
    const alone = simOf([{ unit: 1, name: "incomer", ...pm5000, load: { shape: "base-load", peak_W: 8000 } }]);
    return imported(alone[0]!, day) - imported(alone[0]!, from);
  })();
  const lost_mJ =
    net(of(meters, "incomer"), day) -
    net(of(meters, "incomer"), from) -
    (net(of(without, "incomer"), day) - net(of(without, "incomer"), from));
  const part_mJ = lost_mJ - 700n * 86_400_000n;
  // The running sum is cut to whole W·min in each quarter of an hour: less than one of them is missing.
  const exact_mJ = ((drawn_mJ + rest_mJ) * 15n) / 1000n;
  expect(part_mJ <= exact_mJ && part_mJ > exact_mJ - 96n * 60_000n).toBe(true);
});

test("gas and water make trees too", () => {
  const gas = { model: "sick-flowsic500", m3_per_count: 0.1, since: SINCE } as const;
  const boiler: LoadSpec = { shape: "gas-boiler", peak_m3_per_h: 90 };
  const meters = simOf([
    { unit: 1, name: "main", ...gas, losses: { fixed_m3_per_h: 0.5 } },
    { unit: 2, name: "one", parent: "main", ...gas, load: boiler },
    { unit: 3, name: "two", parent: "main", ...gas, load: boiler },
  ]);
  const total = (name: string, at: number) => of(meters, name).ticks("volume_base_total", at);
  const [a, b] = [local("2026-01-01"), local("2026-01-02") + 12_345];
  const grown = (name: string) => total(name, b) - total(name, a);
  expect(grown("main")).toBe(grown("one") + grown("two") + 500n * BigInt(b - a));
});

test("reactive energy adds up in the tree: leading below makes up for lagging", () => {
  const [main] = simOf([
    { unit: 1, name: "main", ...pm5000 },
    { unit: 2, name: "a", parent: "main", ...pm5000, load: { formula: "10000", power_factor: 0.8 } },
    { unit: 3, name: "b", parent: "main", ...pm5000, load: { formula: "10000", power_factor: { leading: 0.8 } } },
    { unit: 4, name: "c", parent: "main", ...pm5000, load: { formula: "1000", power_factor: { lagging: 0.6 } } },
  ]);
  const gauges = main!.gauges(local("2026-03-02T10:00"));
  expect(gauges.active_power_total).toBe(21_000);
  expect(gauges.reactive_power_total).toBe(1333);
  const between = (quantity: "reactive_energy_import_total" | "reactive_energy_export_total") =>
    main!.ticks(quantity, local("2026-03-03")) - main!.ticks(quantity, local("2026-03-02"));
  expect(between("reactive_energy_import_total")).toBe(8833n * 86_400_000n);
  expect(between("reactive_energy_export_total")).toBe(7500n * 86_400_000n);
});

const load: LoadSpec = { shape: "office", peak_W: 1000 };
test.each<[string, readonly SimMeterSpec[], RegExp]>([
  ["no load and no sub-meters", [{ unit: 1, ...pm5000 }], /lines\[0\]\.meters\[0\]: needs a load, or sub-meters/],
  [
    "an unknown parent",
    [
      { unit: 1, name: "a", ...pm5000, load },
      { unit: 2, parent: "b", ...pm5000, load },
    ],
    /no meter named "b" \(allowed: a\)/,
  ],
  [
    "a circle",
    [
      { unit: 1, name: "a", parent: "b", ...pm5000 },
      { unit: 2, name: "b", parent: "a", ...pm5000, load },
    ],
    /is fed through itself/,
  ],
  [
    "a parent twice",
    [1, 2]
      .map((unit) => ({ unit, name: "a", ...pm5000, load }))
      .concat([{ unit: 3, name: "c", parent: "a", ...pm5000, load } as never]),
    /is the name of 2 meters/,
  ],
  [
    "gas below electricity",
    [
      { unit: 1, name: "a", ...pm5000, load },
      { unit: 2, parent: "a", model: "siemens-mag6000", load: { shape: "process-water", peak_m3_per_h: 3 } },
    ],
    /cannot be added/,
  ],
  [
    "losses of the wrong kind",
    [{ unit: 1, ...pm5000, load, losses: { fixed_m3_per_h: 1 } }],
    /electricity loses fixed_W/,
  ],
  ["hundredths of a percent", [{ unit: 1, ...pm5000, load, losses: { percent: 1.55 } }], /whole tenths/],
  [
    "phases that are not the whole",
    [{ unit: 1, ...pm5000, load, phase_percent: [40, 40, 40] }],
    /adds up to 120, not 100/,
  ],
  [
    "a power factor of nothing",
    [{ unit: 1, ...pm5000, load: { ...load, power_factor: 0 } as LoadSpec }],
    /power_factor: 0 is not within 0\.1 … 1/,
  ],
])("refused: %s", (_name, meters, why) => {
  expect(() => simOf(meters)).toThrow(why);
});

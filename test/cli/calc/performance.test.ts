import { expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { performanceResults } from "../../../cli/calc/performance.ts";
import { PERFORMANCE_SECTIONS } from "../../../config/files/calc/performance.ts";
import { loadTariffs } from "../../../config/tariffs.ts";
import { near } from "../../core/performance/near.ts";

const schema = z.strictObject(PERFORMANCE_SECTIONS);
const calc = (yaml: string) => performanceResults(schema.parse(parse(yaml)), loadTariffs());

/** Each figure of `expected` at the same place of the result, to six significant figures. */
function agrees(result: unknown, expected: unknown, place = "result"): void {
  if (typeof expected === "number" && typeof result === "number") return near(result, expected);
  if (typeof expected !== "object" || expected === null) return expect(result, place).toEqual(expected);
  for (const [key, value] of Object.entries(expected)) {
    agrees((result as Record<string, unknown>)[key], value, `${place}.${key}`);
  }
}

test.each([
  [
    "W06",
    "change: {before: {activity: 8450, factor: 0.6766}, after: {activity: 9120, factor: 0.6592}}",
    {
      change: [
        {
          before: 5717.27,
          after: 6011.904,
          change_pct: 5.1534,
          effect_of_factor: -158.688,
          effect_of_activity: 453.322,
        },
      ],
    },
  ],
  [
    "W11",
    "chp: {emissions_t: 18500, heat_TJ: 96, power_MWh: 9000}",
    {
      chp: [
        {
          power_tj: 32.4,
          heat_emissions_t: 10443.5,
          power_emissions_t: 8056.45,
          ef_heat_t_per_tj: 108.787,
          ef_power_t_per_mwh: 0.895161,
        },
      ],
    },
  ],
  [
    "W16",
    `intensity:
  - {id: sec, amount: 5210400, output: 8640, unit: kWh/t}
  - {id: ghg, amount: 4047050, output: 8640, unit: kg CO2e/t}
  - {id: revenue, parts: [{amount: 2000, output: 100}, {amount: 2047.05, output: 86}]}`,
    { intensity: [{ value: 603.056 }, { value: 468.409 }, { value: 21.7583 }] },
  ],
  [
    "W17",
    `baseline:
  energy: [412, 395, 441, 468, 475, 492, 508, 503, 470, 455, 432, 421]
  drivers: {production_t: [820, 760, 905, 980, 1010, 1055, 1100, 1080, 990, 940, 875, 845]}
  reporting:
    energy: [414, 392, 437, 460, 472, 481]
    drivers: {production_t: [850, 790, 930, 1000, 1040, 1075]}`,
    {
      baseline: {
        intercept: { value: 136.768 },
        slopes: [{ name: "production_t", value: 0.337217 }],
        r2: 0.998666,
        rmse: 1.3955,
        cv_rmse_pct: 0.30603,
        accepted: true,
        reporting: {
          expected_total: 2737.69,
          actual_total: 2656,
          savings: 81.6861,
          savings_pct: 2.98376,
          cusum: [-9.40234, -20.5717, -33.9514, -47.9363, -63.4099, -81.6861],
          enpi_ratio: 0.970162,
        },
      },
    },
  ],
  [
    "W18 and W19",
    `targets:
  paths:
    - {id: linear, kind: linear, base_year: 2023, base_t: 48000, target_year: 2050}
    - {id: sbti, kind: contraction, base_year: 2023, base_t: 48000}
  years: [2030]
  actual_t: {2024: 47800, 2025: 46900, 2026: 45100}
  budget_through: 2050`,
    {
      targets: {
        paths: [
          {
            zero_year: 2050,
            years: {
              2: { year: 2026, allowed_t: 42666.7, gap_t: 2433.33 },
              3: { year: 2030, allowed_t: 35555.6, gap_t: null },
            },
            budget: {
              budget_t: 624000,
              spent_t: 139800,
              left_t: 484200,
              share_spent_pct: 22.4038,
              years_left: 10.7361,
            },
          },
          { zero_year: 2046.81, years: { 2: { allowed_t: 41952, gap_t: 3148 }, 3: { allowed_t: 33888 } } },
        ],
      },
    },
  ],
  [
    "W21",
    `balance:
  meters:
    - {id: main, amount: 1539, classes_pct: [0.5, 0.5, 0.5]}
    - {id: a, parent: main, amount: 820, uncertainty_pct: 1}
    - {id: b, parent: main, amount: 415, uncertainty_pct: 1}
    - {id: c, parent: main, amount: 266, uncertainty_pct: 2}`,
    {
      balance: [{ sub_total: 1501, imbalance: 38, imbalance_pct: 2.46914, u_imbalance: 17.0412, unexplained: true }],
    },
  ],
  [
    "W22",
    `gap:
  before: 715204
  after: 739612
  profile: [310, 305, 300, 298, 340, 420, 610, 720]
  history: [21.4, 22.1, 20.9, 21.7, 22.6, 21.2]`,
    { gap: [{ total: 24408, shape: { 0: 2290.79, 7: 5320.54 }, mean: 21.65, s: 0.622093, surrogate: 22.8942 }] },
  ],
  [
    "W24",
    `base_year:
  base_year_t: 41200
  changes: [{kind: acquired, t: 2900}, {kind: divested, t: 450}, {kind: outsourced, t: 0}]`,
    { base_year: { change_t: 2450, change_pct: 5.9466, recalculate: true, new_base_year_t: 43650 } },
  ],
  [
    "W25",
    "power_factor: {active_kWh: 186000, reactive_kvarh: 105000, bill_VND: 341000000}",
    {
      power_factor: {
        cosphi_exact: 0.870824,
        cosphi_table: 0.87,
        k_pct: 3.45,
        tq_vnd: 11764500,
        compensation_kvarh: 14916.1,
      },
    },
  ],
  [
    "W26",
    `tariff:
  - windows: evn-legacy
    prices: production-22-110kv
    load: &monday
      - {from: 2026-03-02T00:00, to: 2026-03-02T08:00, kW: 150}
      - {from: 2026-03-02T08:00, to: 2026-03-02T20:00, kW: 800}
      - {from: 2026-03-02T20:00, to: 2026-03-02T24:00, kWh: 600}
  - {windows: qd963, prices: {offpeak: 1190, normal: 1833, peak: 3398}, load: *monday}`,
    {
      tariff: [
        { peak_kwh: 4000, normal_kwh: 6500, offpeak_kwh: 900, cost_vnd: 26577500, max_demand_kw: 800 },
        { peak_kwh: 2375, normal_kwh: 8125, offpeak_kwh: 900, cost_vnd: 24034375 },
      ],
    },
  ],
  [
    "W27",
    "quota: {allocated_t: [248000, 272000], verified_direct_t: 590000, credits_t: 40000, borrowed_t: 20000}",
    {
      quota: {
        allocation_t: 520000,
        max_credits_t: 156000,
        max_borrow_t: 78000,
        must_surrender_t: 550000,
        purchase_t: 10000,
      },
    },
  ],
])("%s through a calculation file", (_id, yaml, expected) => agrees(calc(yaml), expected));

test("a shared plant: each user's part and the operator's rest", () => {
  agrees(calc("shared: {emissions_t: 100, produced: 1000, users: [{id: a, output: 600}, {id: b, output: 150}]}"), {
    shared: [
      {
        users: [
          { id: "a", emissions_t: 60 },
          { id: "b", emissions_t: 15 },
        ],
        operator_t: 25,
      },
    ],
  });
});

test.each([
  [
    "targets: {paths: [{id: x, kind: linear, base_year: 2050, base_t: 1, target_year: 2030}], years: [2060]}",
    "targets: the target year",
  ],
  ["baseline: {energy: [1, 2], drivers: {t: [1, 2]}}", "baseline: 2 points"],
  ["baseline: {energy: [1, 2, 3], drivers: {t: [1, 2]}}", "column t has 2 values, 3 are needed"],
  [
    "tariff: {windows: evn-old, load: [{from: 2026-01-01T00:00, to: 2026-01-01T01:00, kW: 1}]}",
    "allowed: evn-legacy, qd963",
  ],
  ["chp: {emissions_t: 1, heat_TJ: 1, power_MWh: 1, heat_efficiency: 85}", "85 % is 0.85"],
  ["balance: {meters: [{id: a, parent: b, amount: 1}, {id: b, parent: a, amount: 1}]}", "hangs under another"],
  ["shared: {emissions_t: 1, produced: 1, users: [{id: a, output: 2}]}", "check the plant's meter"],
  ["gap: {before: 5, after: 3}", "reset or replaced"],
])("figures that contradict each other are refused with their section: %s", (yaml, message) => {
  expect(() => calc(yaml)).toThrow(message);
});

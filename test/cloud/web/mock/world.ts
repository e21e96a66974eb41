import type {
  Attention,
  Emissions,
  Energy,
  FactorUse,
  Health,
  LiveEvent,
  Measure,
  Meter,
  Site,
  Trace,
  TraceInterval,
  Zone,
} from "../../../../cloud/api/schemas.ts";
import { buckets, type Step } from "../../../../core/interval/calendar.ts";
import { exportRate, METERS, type MockMeter, QUARTER_MS, SITES, TIME_ZONE } from "./plant.ts";

/** Answers of the mock server, shaped by the API's schemas. `now_ms` is the server's clock. */
export type Scenario = "normal" | "empty" | "stale" | "building";

const DAY_MS = 86_400_000;
const iso = (at_ms: number): string => `${new Date(at_ms + 7 * 3_600_000).toISOString().slice(0, 19)}+07:00`;
const GRID_KG_PER_KWH = 0.6592;
const GAS_KG_PER_NM3 = 1.9527;
const START_MS = Date.parse("2026-10-23T00:00:00+07:00");
/** All gateways were off that day; the steel plant's also for some hours another day. */
const DARK = { from_ms: Date.parse("2026-11-05T00:00:00+07:00"), to_ms: Date.parse("2026-11-06T00:00:00+07:00") };
const DARK_STEEL = { from_ms: Date.parse("2026-11-12T02:00:00+07:00"), to_ms: Date.parse("2026-11-12T09:00:00+07:00") };
const SHARED_GAS = { from_ms: Date.parse("2026-11-17T00:00:00+07:00"), to_ms: Date.parse("2026-11-17T18:00:00+07:00") };

const within = (at_ms: number, span: { from_ms: number; to_ms: number }): boolean =>
  span.from_ms <= at_ms && at_ms < span.to_ms;

const isKnown = (meter: MockMeter, at_ms: number): boolean =>
  !within(at_ms, DARK) && !(meter.site === "thep-gia-minh" && within(at_ms, DARK_STEEL));

interface Sum {
  value: number;
  known: number;
  elapsed: number;
  estimated: number;
}

/** Sums quarter hours of some rates over [from, to), as far as they have passed. */
function sumOf(
  streams: readonly { meter: MockMeter; rate: (at_ms: number) => number; scale: number }[],
  span: { from_ms: number; to_ms: number },
  now_ms: number,
): Sum {
  const sum: Sum = { value: 0, known: 0, elapsed: 0, estimated: 0 };
  const end_ms = Math.min(span.to_ms, Math.floor(now_ms / QUARTER_MS) * QUARTER_MS);
  for (let at_ms = Math.max(span.from_ms, START_MS); at_ms < end_ms; at_ms += QUARTER_MS) {
    for (const { meter, rate, scale } of streams) {
      sum.elapsed += 1;
      if (!isKnown(meter, at_ms)) continue;
      const value = (rate(at_ms + QUARTER_MS / 2) / 4) * scale;
      sum.known += 1;
      sum.value += value;
      if (meter.carrier === "natural_gas" && within(at_ms, SHARED_GAS)) sum.estimated += value;
    }
  }
  return sum;
}

const measure = (sum: Sum, unit: string, provisional = false): Measure => ({
  value: sum.known === 0 ? null : Math.round(sum.value * 1e6) / 1e6,
  unit,
  coverage_pct: sum.elapsed === 0 ? null : (100 * sum.known) / sum.elapsed,
  estimated_pct: sum.value > 0 ? (100 * sum.estimated) / sum.value : sum.known === 0 ? null : 0,
  provisional: provisional && sum.known > 0,
  lower_bound: sum.known < sum.elapsed,
});

export interface PeriodAsked {
  readonly zone: string;
  readonly site: string | null;
  readonly from_ms: number;
  readonly to_ms: number;
  readonly step: Step;
}

const inPlace = (asked: PeriodAsked) => METERS.filter((meter) => asked.site === null || meter.site === asked.site);

const head = (asked: PeriodAsked) => ({
  zone: asked.zone,
  site: asked.site,
  from: iso(asked.from_ms),
  to: iso(asked.to_ms),
  step: asked.step,
  time_zone: TIME_ZONE,
});

const CARRIERS = {
  electricity: { name: { vi: "Điện lưới", en: "Grid electricity" }, colour: "electricity", unit: "kW.h" },
  solar: { name: { vi: "Điện mặt trời", en: "On-site solar" }, colour: "solar", unit: "kW.h" },
  natural_gas: { name: { vi: "Khí tự nhiên", en: "Natural gas" }, colour: "gas", unit: "m3{normal}" },
  water: { name: { vi: "Nước", en: "Water" }, colour: "water", unit: "m3" },
} as const;
const carrierOf = (meter: MockMeter) => CARRIERS[meter.carrier as keyof typeof CARRIERS];
const perHour = (meter: MockMeter): number => (carrierOf(meter).unit === "kW.h" ? 1 / 1000 : 1);

type Stream = { meter: MockMeter; rate: (at_ms: number) => number; scale: number };

function series(streams: readonly Stream[], asked: PeriodAsked, now_ms: number, unit: string, provisional = false) {
  const cuts = buckets(asked.from_ms, asked.to_ms, asked.step, TIME_ZONE);
  return {
    total: { ...measure(sumOf(streams, asked, now_ms), unit, provisional), uncertainty_pct: null },
    points: cuts.map((cut) => ({
      ...measure(sumOf(streams, cut, now_ms), unit, provisional),
      from: iso(cut.from_ms),
      to: iso(cut.to_ms),
    })),
  };
}

export function energy(asked: PeriodAsked, by: "carrier" | "meter", now_ms: number): Energy {
  const meters = inPlace(asked);
  if (by === "meter") {
    return {
      ...head(asked),
      by,
      groups: meters.map((meter) => ({
        key: meter.id,
        name: meter.name,
        colour: carrierOf(meter).colour,
        carrier: meter.carrier,
        direction: meter.role,
        meter: meter.id,
        ...series([{ meter, rate: meter.rate, scale: perHour(meter) }], asked, now_ms, carrierOf(meter).unit),
        uncertainty: NOT_KNOWN,
      })),
    };
  }
  const group = (
    key: string,
    carrier: keyof typeof CARRIERS,
    direction: Energy["groups"][number]["direction"],
    streams: Stream[],
  ) =>
    streams.length === 0
      ? []
      : [
          {
            key,
            name: CARRIERS[carrier].name,
            colour: CARRIERS[carrier].colour,
            carrier,
            direction,
            meter: null,
            ...series(streams, asked, now_ms, CARRIERS[carrier].unit),
            uncertainty: NOT_KNOWN,
          },
        ];
  const main = (carrier: string): Stream[] =>
    meters
      .filter((meter) => meter.carrier === carrier && meter.role === "import")
      .map((meter) => ({ meter, rate: meter.rate, scale: perHour(meter) }));
  const roofs = meters.filter((meter) => meter.role === "generation");
  const exporting = meters.filter((meter) => meter.id === "gw-02/incomer");
  return {
    ...head(asked),
    by,
    groups: [
      ...group("electricity", "electricity", "import", main("electricity")),
      ...group("natural_gas", "natural_gas", "import", main("natural_gas")),
      ...group(
        "electricity-export",
        "electricity",
        "export",
        exporting.map((meter) => ({ meter, rate: exportRate, scale: 1 / 1000 })),
      ),
      ...group(
        "solar",
        "solar",
        "generation",
        roofs.map((meter) => ({ meter, rate: meter.rate, scale: 1 / 1000 })),
      ),
    ],
  };
}

const factorOf = (meter: MockMeter): number =>
  meter.role !== "import"
    ? 0
    : meter.carrier === "electricity"
      ? GRID_KG_PER_KWH / 1000
      : meter.carrier === "natural_gas"
        ? GAS_KG_PER_NM3
        : 0;

const emittersOf = (asked: PeriodAsked): Stream[] =>
  inPlace(asked)
    .filter((meter) => factorOf(meter) > 0)
    .map((meter) => ({ meter, rate: meter.rate, scale: factorOf(meter) }));

const idOf = (asked: PeriodAsked, key: string): string =>
  [asked.site ?? "zone", key, asked.from_ms, asked.to_ms].join(".");

export function emissions(asked: PeriodAsked, by: "scope" | "carrier" | "site", now_ms: number): Emissions {
  const all = emittersOf(asked);
  const keyOf = ({ meter }: Stream): string =>
    by === "site"
      ? meter.site
      : by === "carrier"
        ? meter.carrier
        : meter.carrier === "electricity"
          ? "scope2"
          : "scope1";
  const keys =
    by === "site"
      ? SITES.filter((s) => asked.site === null || s.id === asked.site).map((s) => s.id)
      : [...new Set(all.map(keyOf))].sort();
  const isProvisional = (streams: readonly Stream[]) => streams.some(({ meter }) => meter.carrier === "electricity");
  const length_ms = asked.to_ms - asked.from_ms;
  const elapsed_ms = Math.min(asked.to_ms, now_ms) - asked.from_ms;
  const total = measure(sumOf(all, asked, now_ms), "kg", true);
  const before = { from_ms: asked.from_ms - length_ms, to_ms: asked.from_ms - length_ms + elapsed_ms };
  return {
    ...head(asked),
    by,
    basis: "location",
    gwp: "AR5",
    total: { ...total, uncertainty_pct: null, id: idOf(asked, "total") },
    uncertainty: NOT_KNOWN,
    roll_up: null,
    bases: { location: total, market: total },
    market: NO_MARKET,
    review: { status: "lower-bound", limit_pct: 10, needs_approval: false },
    previous: elapsed_ms > 0 ? measure(sumOf(all, before, now_ms), "kg", true) : null,
    groups: keys.map((key) => {
      const own = all.filter((stream) => keyOf(stream) === key);
      const name =
        by === "site"
          ? SITES.find((s) => s.id === key)!.name
          : by === "carrier"
            ? CARRIERS[key as keyof typeof CARRIERS].name
            : { vi: `Phạm vi ${key.slice(-1)}`, en: `Scope ${key.slice(-1)}` };
      const colour =
        by === "carrier"
          ? CARRIERS[key as keyof typeof CARRIERS].colour
          : by === "scope"
            ? `scope-${key.slice(-1)}`
            : null;
      return { key, name, colour, id: idOf(asked, key), ...series(own, asked, now_ms, "kg", isProvisional(own)) };
    }),
    gases_kg: {},
    factors: FACTORS,
  };
}

/** No meter says its class. */
const NOT_KNOWN: Emissions["uncertainty"] = {
  pct: null,
  half_width: null,
  unit: "",
  method: "",
  sources: [],
  causes: [],
  unknown: [],
  assumptions: [],
};

/** No contractual instruments: both bases are one figure. */
const NO_MARKET: Emissions["market"] = {
  statement: "no contractual instruments are recorded",
  residual: "grid average",
  consumption_MWh: 0,
  covered_MWh: 0,
  uncovered_MWh: 0,
  instruments: [],
  certificates_sold: [],
};

export const FACTORS: FactorUse[] = [
  {
    id: "vn-grid",
    version: "2023.1",
    carrier: "electricity",
    stated: { value: "0.6592", unit: "tCO2/MWh" },
    match: "provisional",
    why: "no factor is published for 2026; the latest published one is 2023",
    document: "Official letter 1726/BDKH-PTCBT of 2024-12-03",
    sources: ["iki_grid", "knk_dash"],
    confidence: "official",
    level: "ministry",
    valid_from: "2023-01-01",
    valid_to: "2024-01-01",
    known_from: "2024-12-03",
    ncv: null,
  },
  {
    id: "ipcc2006-natural-gas",
    version: "2006.1",
    carrier: "natural_gas",
    stated: { value: "56100", unit: "kgCO2/TJ" },
    match: "exact",
    why: null,
    document: "2006 IPCC Guidelines, volume 2, table 2.3",
    sources: ["ipcc2006_v2"],
    confidence: "secondary",
    level: "ipcc",
    valid_from: "2006-01-01",
    valid_to: null,
    known_from: null,
    ncv: { value: "34.8", unit: "MJ/Nm3", source: "supplier statement", confidence: "secondary" },
  },
];

interface TracePage {
  readonly meter: string | null;
  readonly offset: number;
}

export function trace(id: string, now_ms: number, page: TracePage = { meter: null, offset: 0 }): Trace | null {
  const [place = "", key = "", from = "", to = ""] = id.split(".");
  const asked: PeriodAsked = {
    zone: "kcn-demo",
    site: place === "zone" ? null : place,
    from_ms: Number(from),
    to_ms: Number(to),
    step: "day",
  };
  if (!Number.isFinite(asked.from_ms) || !Number.isFinite(asked.to_ms) || to === "") return null;
  const chosen = emittersOf(asked).filter(
    ({ meter }) =>
      key === "total" ||
      key === meter.site ||
      key === meter.carrier ||
      key === (meter.carrier === "electricity" ? "scope2" : "scope1"),
  );
  const activities = chosen
    .filter(({ meter }) => page.meter === null || meter.id === page.meter)
    .map((stream) => activity(stream, asked, now_ms, page.offset));
  const total_kg = activities.reduce((sum, one) => sum + one.co2e_kg, 0);
  const formula = (carrier: string, scope: number, line: (value: number) => string) => {
    const own = activities.filter((one) => one.carrier === carrier);
    if (own.length === 0) return [];
    return [{ text: line(own.reduce((sum, one) => sum + (one.activity.value ?? 0), 0)), scope }];
  };
  return {
    id,
    from: iso(asked.from_ms),
    to: iso(asked.to_ms),
    time_zone: TIME_ZONE,
    gwp: "AR5",
    basis: "location",
    market: null,
    value_kg: activities.length === 0 ? null : total_kg,
    formulas: [
      ...formula(
        "electricity",
        2,
        (kWh) => `${(kWh / 1000).toFixed(3)} MWh × 0.6592 tCO2/MWh = ${((kWh / 1000) * 0.6592).toFixed(3)} t`,
      ),
      ...formula(
        "natural_gas",
        1,
        (nm3) =>
          `${nm3.toFixed(1)} Nm3 × 34.8 MJ/Nm3 × 56.1 kgCO2/GJ = ${((nm3 * GAS_KG_PER_NM3) / 1000).toFixed(3)} t`,
      ),
    ],
    activities,
    factors: FACTORS.filter((factor) => activities.some((one) => one.carrier === factor.carrier)),
  };
}

function activity(stream: Stream, asked: PeriodAsked, now_ms: number, offset: number): Trace["activities"][number] {
  const { meter } = stream;
  const unit = carrierOf(meter).unit;
  const amount = measure(sumOf([{ ...stream, scale: perHour(meter) }], asked, now_ms), unit);
  const kg = sumOf([stream], asked, now_ms).value;
  const isGrid = meter.carrier === "electricity";
  const end_ms = Math.min(asked.to_ms, Math.floor(now_ms / QUARTER_MS) * QUARTER_MS);
  const total = Math.max(0, Math.round((end_ms - asked.from_ms) / QUARTER_MS));
  const intervals = Array.from({ length: Math.max(0, Math.min(200, total - offset)) }, (_, index) =>
    interval(stream, end_ms - (offset + index + 1) * QUARTER_MS),
  );
  return {
    meter: meter.id,
    name: meter.name,
    site: SITES.find((site) => site.id === meter.site)?.name ?? null,
    model: meter.model,
    register: isGrid ? "3:3203:i64" : "3:1216:u32",
    carrier: meter.carrier,
    scope: isGrid ? 2 : 1,
    quantity: isGrid ? "active_energy_import_total" : "volume_base_total",
    activity: amount,
    co2e_kg: kg,
    gases_mg: { co2: String(Math.round(kg * 1e6)) },
    factors: [isGrid ? "vn-grid@2023.1" : "ipcc2006-natural-gas@2006.1"],
    intervals_total: total,
    next_offset: offset + 200 < total ? offset + 200 : null,
    intervals,
  };
}

function interval({ meter, rate, scale }: Stream, from_ms: number): TraceInterval {
  const known = isKnown(meter, from_ms);
  const isGrid = meter.carrier === "electricity";
  const value = (rate(from_ms + QUARTER_MS / 2) / 4) * perHour(meter);
  const ticks = Math.round(isGrid ? value * 1000 : value * 10);
  const closing = 4_400_000_000 + Math.round((from_ms - START_MS) / 1000) * 1000;
  const words = (count: number, at_ms: number) => ({
    fc: 3,
    address: isGrid ? 3203 : 1216,
    hex: count.toString(16).padStart(isGrid ? 16 : 8, "0"),
    at: iso(at_ms),
  });
  // Read a second before and after: the meter counts the same number of ticks in each, so the count lies in the middle.
  const boundary = (count: number, at_ms: number, side: -1 | 1) => ({
    count: String(count),
    words: words(count + side, at_ms + side * 1000),
    across: words(count - side, at_ms - side * 1000),
  });
  const isShared = meter.carrier === "natural_gas" && within(from_ms, SHARED_GAS);
  return {
    from: iso(from_ms),
    to: iso(from_ms + QUARTER_MS),
    quantity: isGrid ? "active_energy_import_total" : "volume_base_total",
    ticks: known ? String(ticks) : null,
    tick: isGrid ? "1 W.h" : "0.1 m3{normal}",
    value: known ? value : null,
    unit: carrierOf(meter).unit,
    flag: known ? (isShared ? "S" : "M") : "X",
    coverage_pct: known ? (isShared ? 0 : 100) : 0,
    polls_expected: 90,
    polls_answered: known ? 90 : 0,
    cause: known ? (isShared ? "meter-silent" : null) : "bus-unreachable",
    verification: "agreed",
    opening: known ? boundary(closing - ticks, from_ms, -1) : null,
    closing: known ? boundary(closing, from_ms + QUARTER_MS, 1) : null,
    batch: { gateway: meter.gateway, epoch: "7f3a", number: Math.round((from_ms - START_MS) / QUARTER_MS) },
    substitution: null,
    gateway_said: null,
    entries: known
      ? [
          {
            id: `${meter.id} ${from_ms}`,
            gas: "co2",
            mg: String(Math.round((rate(from_ms) / 4) * scale * 1e6)),
            factor: isGrid ? "vn-grid@2023.1" : "ipcc2006-natural-gas@2006.1",
            match: isGrid ? "provisional" : "exact",
            earlier: [],
          },
        ]
      : [],
  };
}

// ---- things, not sums ------------------------------------------------------------------------------------------------

/** The boiler's gas meter fell silent three hours before now. */
const SILENT = "gw-03/gas";
const silentSince = (now_ms: number): number => now_ms - 3 * 3_600_000 - 12 * 60_000;
const stateOf = (meter: MockMeter) => (meter.id === SILENT ? ("warn" as const) : ("ok" as const));

export function zone(scenario: Scenario, now_ms: number): Zone {
  const isEmpty = scenario === "empty";
  return {
    id: "kcn-demo",
    name: { vi: "KCN Demo", en: "Demo zone" },
    time_zone: TIME_ZONE,
    sites: SITES.map((one) => one.id),
    data_from: isEmpty ? null : iso(START_MS),
    data_to: isEmpty ? null : iso(Math.floor(now_ms / QUARTER_MS) * QUARTER_MS),
  };
}

export function sites(scenario: Scenario, now_ms: number): Site[] {
  return SITES.map((one) => ({
    ...one,
    state: scenario === "empty" ? "unknown" : one.id === "thuc-pham-an-lao" ? "warn" : "ok",
    last_reading_at: scenario === "empty" ? null : iso(now_ms - 2000),
  }));
}

export function meters(siteId: string | null, scenario: Scenario, now_ms: number): Meter[] {
  if (scenario === "empty") return [];
  const seen_ms = scenario === "stale" ? now_ms - 25 * 60_000 : now_ms - 2000;
  return METERS.filter((meter) => siteId === null || meter.site === siteId).map(({ rate: _, ...meter }) => {
    const own = METERS.find((one) => one.id === meter.id)!;
    const at_ms = meter.id === SILENT ? silentSince(now_ms) : seen_ms;
    return {
      ...meter,
      state: stateOf(own),
      state_why: meter.id === SILENT ? "silent" : null,
      last_reading_at: iso(at_ms),
      values: valuesOf(own, at_ms),
    };
  });
}

function valuesOf(meter: MockMeter, at_ms: number): Meter["values"] {
  const value = (quantity: string, vi: string, en: string, number: number, unit: string) => ({
    quantity,
    name: { vi, en },
    value: number,
    unit,
    at: iso(at_ms),
    quality: meter.id === SILENT ? ("stale" as const) : ("good" as const),
    why: null,
  });
  const rate = meter.rate(at_ms);
  if (meter.carrier === "natural_gas") {
    return [
      value("flow_base", "Lưu lượng quy chuẩn", "Flow at base conditions", rate, "m3/h"),
      value("volume_base_total", "Thể tích quy chuẩn", "Base volume", 1_284_415.3, "m3{normal}"),
    ];
  }
  if (meter.carrier === "water") {
    return [
      value("volume_flow", "Lưu lượng", "Volume flow", rate, "m3/h"),
      value("volume_total_1", "Thể tích", "Volume", 90_412.7, "m3"),
    ];
  }
  return [
    value("active_power_total", "Công suất tác dụng tổng", "Active power total", rate, "W"),
    value("power_factor_total", "Hệ số công suất tổng", "Power factor total", powerFactor(meter), "1"),
    meter.carrier === "solar"
      ? value("active_energy_export_total", "Điện năng phát", "Active energy exported", 2_204_881.6, "kW.h")
      : value(
          "active_energy_import_total",
          "Điện năng nhận",
          "Active energy imported",
          4_400_128.2 + rate / 1e6,
          "kW.h",
        ),
  ];
}

const powerFactor = (meter: MockMeter): number => 0.88 + (meter.id.length % 5) * 0.025;

export function live(scenario: Scenario, now_ms: number): LiveEvent {
  const history = scenario === "building" ? { done_days: 12, total_days: 30, running: true } : null;
  if (scenario === "empty") {
    const nothing = SITES.map((one) => ({
      id: one.id,
      state: "unknown" as const,
      power_W: null,
      generation_W: null,
      at: null,
    }));
    return {
      at: iso(now_ms),
      zone: { power_W: null, generation_W: null },
      sites: nothing,
      meters: [],
      others: [],
      books_to: null,
      history,
    };
  }
  const wobble = 1 + 0.01 * Math.sin(now_ms / 3000);
  const read_ms = scenario === "stale" ? now_ms - 25 * 60_000 : now_ms - 1000;
  const powerOf = (siteId: string): number => {
    const main = METERS.find(
      (meter) => meter.site === siteId && meter.role === "import" && meter.carrier === "electricity",
    )!;
    return (main.rate(now_ms) - (siteId === "dien-tu-bac-son" ? exportRate(now_ms) : 0)) * wobble;
  };
  const sun = METERS.find((meter) => meter.role === "generation")!.rate(now_ms);
  return {
    at: iso(now_ms),
    zone: { power_W: SITES.reduce((sum, one) => sum + powerOf(one.id), 0), generation_W: sun },
    sites: SITES.map((one) => ({
      id: one.id,
      state: one.id === "thuc-pham-an-lao" ? "warn" : "ok",
      power_W: powerOf(one.id),
      generation_W: one.id === "dien-tu-bac-son" ? sun : null,
      at: iso(read_ms),
    })),
    meters: METERS.map((meter) => ({
      id: meter.id,
      state: stateOf(meter),
      at: iso(meter.id === SILENT ? silentSince(now_ms) : read_ms),
      power_W: meter.carrier === "electricity" || meter.carrier === "solar" ? meter.rate(now_ms) : null,
      values:
        meter.id === SILENT
          ? {}
          : Object.fromEntries(
              valuesOf(meter, now_ms).map((one) => [
                one.quantity,
                (one.value ?? 0) * (one.quantity === "active_power_total" ? wobble : 1),
              ]),
            ),
    })),
    others: [],
    books_to: iso(Math.floor(now_ms / QUARTER_MS) * QUARTER_MS),
    history,
  };
}

export function attention(scenario: Scenario, now_ms: number): Attention[] {
  if (scenario === "empty") return [];
  const item = (severity: Attention["severity"], code: string, rest: Partial<Attention>): Attention => ({
    severity,
    code,
    site: null,
    gateway: null,
    meter: null,
    since: null,
    params: {},
    ...rest,
  });
  return [
    item("warn", "meter-silent", {
      site: "thuc-pham-an-lao",
      gateway: "gw-03",
      meter: SILENT,
      since: iso(silentSince(now_ms)),
    }),
    item("warn", "missing-data", {
      site: "thep-gia-minh",
      gateway: "gw-01",
      meter: "gw-01/incomer",
      since: iso(DARK_STEEL.from_ms),
      params: { intervals: 28, hours: 7, duration: "7 h" },
    }),
    item("warn", "backlog", {
      site: "dien-tu-bac-son",
      gateway: "gw-02",
      since: iso(now_ms - 9 * 60_000),
      params: { pending: 214 },
    }),
    item("info", "provisional-factor", {
      params: {
        carrier: "electricity",
        name_vi: "Điện lưới",
        name_en: "Grid electricity",
        factor: "vn-grid",
        version: "2023.1",
        value: "0.6592",
        unit: "tCO2/MWh",
      },
    }),
  ];
}

export function health(scenario: Scenario, now_ms: number): Health {
  return {
    status: "ok",
    version: "0.1.0",
    now: iso(now_ms),
    started_at: iso(now_ms - 2 * DAY_MS),
    zone: "kcn-demo",
    store: "sqlite",
    broker: "connected",
    history: scenario === "building" ? { done_days: 12, total_days: 30, running: true } : null,
  };
}

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildApi } from "../../../cloud/api/api.ts";
import type { ApiDeps } from "../../../cloud/api/deps.ts";
import type { LiveMeter, LiveValue } from "../../../cloud/collector/live.ts";
import { openSqliteStore } from "../../../cloud/store/sqlite.ts";
import type { GatewayRow, MeterRow, NewBatch, ZoneStore } from "../../../cloud/store/store.ts";
import type { CarrierId, MeterRole } from "../../../core/emission/carriers.ts";
import { type Emission, emissionsOf } from "../../../core/emission/emission.ts";
import type { EmissionFactor, GwpSet } from "../../../core/emission/factor.ts";
import type { Interval } from "../../../core/interval/interval.ts";
import type { Timers } from "../../../core/ports.ts";
import { QUANTITIES, type QuantityId } from "../../../core/units/quantities.ts";

/** A small zone with a store on disk, values by hand and a clock that only the test moves. */
export const ZONE = "kcn";
export const QUARTER_MS = 900_000;
/** 2026-11-01T00:00:00+07:00. */
export const START_MS = Date.parse("2026-11-01T00:00:00+07:00");
export const HOUR_MS = 3_600_000;

export const GRID_2023: EmissionFactor = {
  id: "grid-vn",
  version: "2023",
  carrier: "electricity",
  level: "ministry",
  valid_from_ms: Date.parse("2023-01-01T00:00:00+07:00"),
  valid_to_ms: Date.parse("2024-01-01T00:00:00+07:00"),
  known_from_ms: null,
  basis: "energy_Wh",
  mg_per_basis: { co2: "659.2" },
  stated: { value: "0.6592", unit: "tCO2/MWh" },
  document: "letter 1726",
  sources: ["https://example.org/grid"],
  confidence: "official",
  uncertainty_pct: null,
};

export const GAS: EmissionFactor = {
  id: "gas-ipcc",
  version: "2006",
  carrier: "natural_gas",
  level: "ipcc",
  valid_from_ms: 0,
  valid_to_ms: null,
  known_from_ms: null,
  basis: "fuel_MJ",
  mg_per_basis: { co2: "56100", ch4: "1", n2o: "0.1" },
  stated: { value: "56100", unit: "kgCO2/TJ" },
  ncv: { value: "36.5", unit: "MJ/Nm3", source: "default", confidence: "secondary" },
  document: "IPCC 2006",
  sources: ["https://example.org/ipcc"],
  confidence: "official",
  uncertainty_pct: null,
};

export const AR5: GwpSet = { id: "AR5", gwp: { co2: "1", ch4: "28", n2o: "265" }, sources: [], confidence: "official" };
export const AR6: GwpSet = {
  id: "AR6",
  gwp: { co2: "1", ch4: "29.8", n2o: "273" },
  sources: [],
  confidence: "official",
};

interface MeterSpec {
  readonly edge: string;
  readonly device: string;
  readonly carrier: CarrierId;
  readonly role: MeterRole;
  readonly parent?: string;
}

export const METERS = {
  incomer: { edge: "gw-01", device: "incomer", carrier: "electricity", role: "import" },
  furnace: { edge: "gw-01", device: "furnace", carrier: "electricity", role: "use", parent: "incomer" },
  grid: { edge: "gw-02", device: "grid", carrier: "electricity", role: "import" },
  roof: { edge: "gw-02", device: "roof", carrier: "solar", role: "generation" },
  boiler: { edge: "gw-02", device: "boiler", carrier: "natural_gas", role: "import" },
} as const satisfies Record<string, MeterSpec>;
export type MeterName = keyof typeof METERS;

const FACTORS = [GRID_2023, GAS];

/** Timers that run when the test says so. */
export class HandTimers implements Timers {
  #now_ms = 0;
  #next = 0;
  readonly #due = new Map<number, { at_ms: number; every_ms: number | null; run: () => void }>();

  get count(): number {
    return this.#due.size;
  }

  after(delay_ms: number, run: () => void) {
    // No time passes: it is somebody letting others have their turn.
    if (delay_ms === 0) {
      queueMicrotask(run);
      return () => {};
    }
    return this.#add(this.#now_ms + delay_ms, null, run);
  }

  every(period_ms: number, run: () => void) {
    return this.#add(this.#now_ms + period_ms, period_ms, run);
  }

  advance(ms: number): void {
    const until_ms = this.#now_ms + ms;
    for (;;) {
      const [next] = [...this.#due].filter(([, one]) => one.at_ms <= until_ms).sort((a, b) => a[1].at_ms - b[1].at_ms);
      if (next === undefined) break;
      const [id, one] = next;
      this.#now_ms = one.at_ms;
      if (one.every_ms === null) this.#due.delete(id);
      else this.#due.set(id, { ...one, at_ms: one.at_ms + one.every_ms });
      one.run();
    }
    this.#now_ms = until_ms;
  }

  #add(at_ms: number, every_ms: number | null, run: () => void) {
    const id = this.#next++;
    this.#due.set(id, { at_ms, every_ms, run });
    return () => void this.#due.delete(id);
  }
}

export interface TestZone {
  readonly deps: ApiDeps;
  readonly store: ZoneStore;
  readonly timers: HandTimers;
  now_ms: number;
  /** Intervals of one meter, from the nth quarter of the period on; emissions as the edge would book them. */
  book(meter: MeterName, first: number, ticks: readonly (bigint | Partial<Interval>)[], quantity?: QuantityId): void;
  gateway(edge: string, change?: Partial<GatewayRow>): void;
  value(meter: MeterName, quantity: QuantityId, value: Partial<LiveValue>): void;
  online(meter: MeterName, isOnline: boolean): void;
  change(): void;
  readonly listeners: ReadonlySet<() => void>;
  commit(meter: MeterName, change: Partial<NewBatch>): void;
  /** As if the newest birth said this of the meter. */
  describe(meter: MeterName, change: Partial<MeterRow>): void;
  dispose(): void;
}

export function testZone(change: Partial<ApiDeps> = {}): TestZone {
  const folder = mkdtempSync(join(tmpdir(), "khuxanh-api-"));
  const births = new Map<string, number>();
  const live = new Map<string, { meter: MeterSpec; isOnline: boolean; values: Map<QuantityId, LiveValue> }>();
  const onlineGateways = new Set<string>();
  const listeners = new Set<() => void>();
  const timers = new HandTimers();
  const clock = { now_ms: () => zone.now_ms, mono_ms: () => zone.now_ms };
  const store = openSqliteStore({ path: join(folder, "zone.db"), now_ms: () => zone.now_ms });
  const keyOf = (edge: string) => ({ group: ZONE, edge });
  let number = 0;

  const zone: TestZone = {
    now_ms: START_MS + 24 * HOUR_MS,
    store,
    timers,
    listeners,
    deps: {
      store,
      live: {
        meters: () =>
          [...live.values()].map(
            ({ meter, isOnline, values }): LiveMeter => ({
              gateway: keyOf(meter.edge),
              device: meter.device,
              online: isOnline,
              staleSince_ms: isOnline ? null : zone.now_ms,
              values,
            }),
          ),
        isOnline: (gateway) => onlineGateways.has(gateway.edge),
        booksTo_ms: () => START_MS + HOUR_MS,
        onChange(listener) {
          listeners.add(listener);
          return () => listeners.delete(listener);
        },
      },
      zone: { id: ZONE, name: { vi: "KCN Demo", en: "Demo zone" }, time_zone: "Asia/Ho_Chi_Minh" },
      sites: [
        {
          id: "steel",
          name: { vi: "Thép", en: "Steel" },
          sector: "steel",
          gateways: ["gw-01"],
          plan: { x: 0.2, y: 0.3 },
        },
        { id: "electronics", name: { vi: "Điện tử", en: "Electronics" }, sector: "electronics", gateways: ["gw-02"] },
      ],
      factors: FACTORS,
      gwpSets: [AR5, AR6],
      clock,
      timers,
      version: "0.1.0",
      storeName: "sqlite",
      history: () => null,
      brokerConnected: () => true,
      log: { debug() {}, info() {}, warn() {}, error() {} },
      ...change,
    },
    book(name, first, ticks, quantity = mainOf(METERS[name])) {
      const meter: MeterSpec = METERS[name];
      const { unit } = QUANTITIES[quantity];
      const intervals = ticks.map((given, at): Interval => {
        const from_ms = START_MS + (first + at) * QUARTER_MS;
        return {
          device: meter.device,
          quantity,
          from_ms,
          to_ms: from_ms + QUARTER_MS,
          tick: unit === "kWh" ? { amount: "1", unit: "Wh" } : { amount: "1", unit },
          flag: "M",
          coverage: 1,
          pollsExpected: 900,
          pollsAnswered: 900,
          cause: null,
          opening: { count: 5n, words: { fc: 3, address: 3203, hex: "00000005", at_ms: from_ms }, across: null },
          closing: {
            count: 9n,
            words: { fc: 3, address: 3203, hex: "0000000A", at_ms: from_ms + QUARTER_MS + 500 },
            across: { fc: 3, address: 3203, hex: "00000008", at_ms: from_ms + QUARTER_MS - 500 },
          },
          ticks: typeof given === "bigint" ? given : 0n,
          ...(typeof given === "bigint" ? {} : given),
        };
      });
      const emitter = { ...meter, parent: meter.parent ?? null, ncv_MJ_per_Nm3: null };
      const emissions = intervals.flatMap((interval): readonly Emission[] => {
        const result = emissionsOf(interval, emitter, zone.deps.factors, zone.now_ms);
        return result.kind === "emissions" ? result.entries : [];
      });
      zone.commit(name, { intervals, emissions });
    },
    commit(name, change) {
      const { edge, device } = METERS[name];
      store.commitBatches([
        {
          gateway: keyOf(edge),
          epoch: "e1",
          number: ++number,
          device,
          birthId: births.get(name)!,
          from_ms: START_MS,
          to_ms: START_MS,
          crc32c: number,
          payload: new Uint8Array(),
          intervals: [],
          emissions: [],
          record: null,
          ...change,
        },
      ]);
    },
    describe(name, change) {
      const meter: MeterSpec = METERS[name];
      const birth = { gateway: keyOf(meter.edge), epoch: "e1", device: meter.device, metrics: birthMetrics(meter) };
      store.putBirth(birth, { ...meterRow(meter), ...change });
    },
    gateway(edge, row = {}) {
      const online = row.online ?? true;
      if (online) onlineGateways.add(edge);
      else onlineGateways.delete(edge);
      store.putGateway({
        gateway: keyOf(edge),
        epoch: "e1",
        online,
        bdSeq: 1,
        lastSeen_ms: zone.now_ms,
        bornAt_ms: START_MS,
        pending: 0,
        oldestPending_ms: null,
        clockOffset_ms: 0,
        software: "khuxanh 0.1.0",
        duplicates: 0,
        received: 10,
        ...row,
      });
    },
    value(name, quantity, value) {
      const held = live.get(name) ?? { meter: METERS[name], isOnline: true, values: new Map() };
      held.values.set(quantity, { value: 1, at_ms: zone.now_ms, quality: "good", why: null, ...value });
      live.set(name, held);
    },
    online(name, isOnline) {
      const held = live.get(name) ?? { meter: METERS[name], isOnline, values: new Map() };
      live.set(name, { ...held, isOnline });
    },
    change() {
      for (const listener of [...listeners]) listener();
    },
    dispose() {
      store.close();
      rmSync(folder, { recursive: true });
    },
  };

  for (const name of Object.keys(METERS) as MeterName[]) {
    const meter: MeterSpec = METERS[name];
    const birth = { gateway: keyOf(meter.edge), epoch: "e1", device: meter.device, metrics: birthMetrics(meter) };
    births.set(name, store.putBirth(birth, meterRow(meter)));
  }
  return zone;
}

export async function withApi<T>(zone: TestZone, use: (get: Get) => Promise<T>): Promise<T> {
  const app = await buildApi(zone.deps);
  try {
    return await use(async (url) => {
      const response = await app.inject({ method: "GET", url });
      const isJson = String(response.headers["content-type"]).includes("json");
      return {
        status: response.statusCode,
        headers: response.headers,
        text: response.body,
        body: isJson ? response.json() : null,
      };
    });
  } finally {
    await app.close();
  }
}

export type Get = (url: string) => Promise<Answer>;
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: the answer's shape is what the tests look at
  readonly body: any;
}

function mainOf(meter: MeterSpec): QuantityId {
  if (meter.carrier === "natural_gas") return "volume_base_total";
  return meter.carrier === "solar" ? "active_energy_export_total" : "active_energy_import_total";
}

function meterRow(meter: MeterSpec): MeterRow {
  return {
    gateway: { group: ZONE, edge: meter.edge },
    device: meter.device,
    model: "schneider-pm5000",
    modelVersion: "1",
    carrier: meter.carrier,
    role: meter.role,
    parent: meter.parent ?? null,
    interval_ms: QUARTER_MS,
    time_zone: "Asia/Ho_Chi_Minh",
    name: null,
    accuracy: null,
    supplier: null,
  };
}

function birthMetrics(meter: MeterSpec) {
  return [
    { name: "Power/Active/Total", alias: 1, datatype: 10, properties: { engUnit: "W" } },
    {
      name: QUANTITIES[mainOf(meter)].wire,
      alias: 2,
      datatype: 4,
      properties: { engUnit: "W.h", tick: "1 W.h", modulus: "", register: "3:3203:i64" },
    },
  ];
}

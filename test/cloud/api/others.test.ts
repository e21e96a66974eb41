import { afterEach, beforeEach, expect, test } from "vitest";
import { liveEvent } from "../../../cloud/api/live.ts";
import { LiveEvent, Other, Readings } from "../../../cloud/api/schemas.ts";
import { situationOf } from "../../../cloud/api/situation.ts";
import { Spacings } from "../../../cloud/api/state.ts";
import type { LiveMeter } from "../../../cloud/collector/live.ts";
import { data, encodeCanonical, type Metric } from "../../../core/wire/payload.ts";
import { START_MS, type TestZone, testZone, withApi, ZONE } from "./zone.ts";

/** Devices of nodes that number no batches: no meters of the catalogue, and readable all the same. */
const GATEWAY = { group: ZONE, edge: "vendor" };
let zone: TestZone;
beforeEach(() => {
  zone = testZone();
});
afterEach(() => zone.dispose());

function store(values: readonly Metric[]): void {
  const metrics = [
    { name: "Voltage/L1", alias: 1, datatype: 10, properties: {} },
    { name: "Oil temperature", alias: 2, datatype: 10, properties: { engUnit: "Cel" } },
  ];
  const birthId = zone.store.putBirth({ gateway: GATEWAY, epoch: "", device: "press", metrics }, null);
  const samples = values.map((one) => ({
    metric: metrics.find(({ alias }) => alias === one.alias)!.name,
    at_ms: one.timestamp_ms!,
    payload: encodeCanonical([one]),
  }));
  zone.store.commitPlain([{ gateway: GATEWAY, device: "press", birthId, samples }]);
}

test("what is stored of them is read by quantity or by their own name; what was never born is a mistake with a hint", async () => {
  const at = { timestamp_ms: START_MS + 1000 };
  store([data.double({ ...at, alias: 1 }, 231), data.double({ ...at, alias: 2 }, 61.5)]);
  await withApi(zone, async (get) => {
    const ask = (meter: string, quantity: string) =>
      get(`/api/v1/readings?meter=${meter}&quantity=${quantity}&from=2026-11-01&to=2026-11-02`);
    const volts = Readings.parse((await ask("vendor/press", "voltage_l1")).body);
    expect(volts).toMatchObject({ unit: "V", points: [{ value: 231, quality: "good" }] });
    const oil = Readings.parse((await ask("vendor/press", "Oil%20temperature")).body);
    expect(oil).toMatchObject({ unit: "Cel", points: [{ value: 61.5, quality: "good" }] });
    expect((await ask("vendor/press", "Oil")).status).toBe(400);
    expect((await ask("vendor/saw", "voltage_l1")).status).toBe(404);
  });
});

test("they are listed with their metrics, beside the meters and of their site, whether or not they are heard now", async () => {
  const at = { timestamp_ms: START_MS + 1000 };
  store([data.double({ ...at, alias: 1 }, 231), data.double({ ...at, alias: 2, timestamp_ms: START_MS + 9000 }, 61.5)]);
  store([data.double({ ...at, alias: 1, timestamp_ms: Number.MAX_SAFE_INTEGER }, 230)]);
  await withApi(zone, async (get) => {
    const list = async (query = "") =>
      (await get(`/api/v1/others${query}`)).body.map((one: unknown) => Other.parse(one));
    expect(await list()).toEqual([
      {
        id: "vendor/press",
        device: "press",
        site: null,
        gateway: "vendor",
        online: false,
        last_reading_at: null,
        metrics: [
          { name: "Voltage/L1", quantity: "voltage_l1", last_at: null },
          { name: "Oil temperature", quantity: null, last_at: "2026-11-01T00:00:09+07:00" },
        ],
      },
    ]);
    expect(await list("?site=steel")).toEqual([]);
    expect((await get("/api/v1/meters")).body.map(({ gateway }: { gateway: string }) => gateway)).not.toContain(
      "vendor",
    );
    const hint = (await get("/api/v1/readings?meter=vendor/saw&quantity=x&from=2026-11-01&to=2026-11-02")).body.hint;
    expect(hint).toContain("/api/v1/others");
  });
});

test("the live stream has them beside the meters, and a time that no calendar has ends it for nobody", () => {
  const other = (device: string, at_ms: number): LiveMeter => ({
    gateway: GATEWAY,
    device,
    online: true,
    staleSince_ms: null,
    values: new Map([["voltage_l1", { value: 231, at_ms, quality: "good", why: null }]]),
  });
  const meters = [other("press", START_MS), other("saw", Number.MAX_SAFE_INTEGER)];
  const deps = { ...zone.deps, live: { ...zone.deps.live, meters: () => meters } };
  const event = LiveEvent.parse(liveEvent(deps, situationOf(deps, new Spacings())));
  expect(event.others).toMatchObject([
    { id: "vendor/press", online: true, at: "2026-11-01T00:00:00+07:00", values: { voltage_l1: 231 } },
    { id: "vendor/saw", at: null },
  ]);
});

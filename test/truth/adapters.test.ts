import { expect, test } from "vitest";
import type { StoredInterval, ZoneStore } from "../../cloud/store/store.ts";
import { booksOfApi } from "./apiBooks.ts";
import { booksOfStore } from "./books.ts";

const FROM = Date.UTC(2026, 2, 2);
const iso = (at: number) => new Date(FROM + at * 900_000).toISOString();

/** Answers of a collector with one gateway, as its API gives them. */
function api(
  points: readonly {
    value: number | null;
    coverage_pct?: number;
    held?: number;
    incomplete?: number;
    unknown?: number;
    causes?: Record<string, number>;
  }[],
) {
  const asked: string[] = [];
  const answers: Record<string, unknown> = {
    "/api/v1/meters": [
      { id: "gw-01/incomer", device: "incomer", site: "steel" },
      { id: "gw-02/incomer", device: "incomer", site: "food" },
    ],
    "/api/v1/energy": {
      groups: [
        { meter: "gw-01/incomer", points: points.map(({ value }, i) => ({ from: iso(i), to: iso(i + 1), value })) },
      ],
    },
    "/api/v1/completeness": {
      meters: [
        {
          meter: "gw-01/incomer",
          quantity: "active_energy_import_total",
          points: points.map((one) => ({ coverage_pct: 100, held: 1, incomplete: 0, unknown: 0, causes: {}, ...one })),
        },
      ],
    },
  };
  const get = async (path: string) => {
    asked.push(path);
    return answers[path.split("?")[0]!];
  };
  return { get, asked };
}

const period = { from_ms: FROM, to_ms: FROM + 4 * 900_000 };

test("books from the API: figures, holes with causes, absent rows, the step all figures share", async () => {
  const { get, asked } = api([
    { value: 12.3 },
    { value: 4.5, coverage_pct: 50, causes: { "meter-silent": 1 } },
    { value: null, coverage_pct: 0, unknown: 1, incomplete: 1, causes: { "counter-reset": 1 } },
    { value: null, held: 0, causes: { "not-received": 1 } },
  ]);
  const books = await booksOfApi(get, ["steel/incomer"], period);
  expect(
    books.map(({ meter, ticks, tick, flag, cause }) => ({
      meter,
      ticks,
      amount: tick.amount,
      unit: tick.unit,
      flag,
      cause,
    })),
  ).toEqual([
    { meter: "steel/incomer", ticks: 41n, amount: "300", unit: "Wh", flag: "M", cause: null },
    { meter: "steel/incomer", ticks: 15n, amount: "300", unit: "Wh", flag: "S", cause: "meter-silent" },
    { meter: "steel/incomer", ticks: null, amount: "300", unit: "Wh", flag: "X", cause: "counter-reset" },
  ]);
  expect(asked[1]).toBe("/api/v1/energy?by=meter&from=2026-03-02T00:00:00.000Z&to=2026-03-02T01:00:00.000Z&step=15min");
});

test("a device name that two gateways have names no meter", async () => {
  const { get } = api([{ value: 1 }]);
  expect((await booksOfApi(get, ["incomer"], period))[0]?.meter).toBe("gw-01/incomer");
});

test("books from the store: every counter of the carrier, of every meter that has a name", () => {
  const gateway = { group: "zone", edge: "gw-01" };
  const interval = {
    device: "incomer",
    quantity: "active_energy_import_total",
    from_ms: FROM,
    to_ms: FROM + 900_000,
    ticks: 7n,
    flag: "M",
    cause: null,
    tick: { amount: "1", unit: "Wh" },
    opening: null,
    closing: null,
  } as unknown as StoredInterval;
  const store = {
    meters: () => [
      { gateway, device: "incomer", carrier: "electricity" },
      { gateway, device: "other", carrier: "electricity" },
    ],
    intervals: (_gateway: unknown, _device: string, quantity: string) =>
      quantity === interval.quantity ? [interval] : [],
  } as unknown as ZoneStore;
  const books = booksOfStore(store, (_gateway, device) => (device === "incomer" ? "steel/incomer" : null), {
    from_ms: FROM,
    to_ms: FROM + 900_000,
  });
  expect(books).toHaveLength(1);
  expect(books[0]).toMatchObject({ meter: "steel/incomer", ticks: 7n });
});

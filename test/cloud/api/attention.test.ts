import { describe, expect, test } from "vitest";
import { alarmed, clockOff, countsApart, storedExceedsRead } from "../../../cloud/api/attention.ts";
import { catalogMeter } from "../../../cloud/api/catalogue.ts";
import type { GatewaySituation } from "../../../cloud/api/situation.ts";
import { CLOCK_OFFSET_MAX_MS } from "../../../cloud/api/state.ts";
import {
  type Alarm,
  COUNTS_APART,
  type GatewayRow,
  type MeterRow,
  SESSIONS_TOO_MANY,
  STORED_EXCEEDS_READ,
} from "../../../cloud/store/store.ts";
import { attentionWords } from "../../../cloud/web/text/attention.ts";
import { en } from "../../../cloud/web/text/en.ts";
import { vi } from "../../../cloud/web/text/vi.ts";
import { QUARTER_MS, START_MS } from "./zone.ts";

const GATEWAY = { group: "kcn", edge: "gw-01" } as const;

const gateway = (clockOffset_ms: number | null, isOnline = true): GatewaySituation => ({
  id: "gw-01",
  site: "steel",
  row: { clockOffset_ms } as GatewayRow,
  isOnline,
  verdict: { state: "ok", why: null },
});

describe("a gateway's clock", () => {
  test("needs a person when it is off by more than the limit, either way", () => {
    expect(clockOff([gateway(CLOCK_OFFSET_MAX_MS), gateway(-CLOCK_OFFSET_MAX_MS), gateway(null)])).toEqual([]);
    const items = clockOff([gateway(CLOCK_OFFSET_MAX_MS + 1), gateway(-3_600_000.4)]);
    expect(items).toMatchObject([
      { severity: "warn", code: "gateway-clock", gateway: "gw-01", site: "steel", params: { offset_ms: 10_001 } },
      { params: { offset_ms: -3_600_000 } },
    ]);
  });

  test("is not judged while the gateway is not heard, nor before it ever was", () => {
    expect(clockOff([gateway(3_600_000, false), { ...gateway(0), row: null }])).toEqual([]);
  });

  test("is told in words, in both languages", () => {
    const [ahead, behind] = clockOff([gateway(90_000), gateway(-7_200_000)]).map(({ since_ms: _, ...item }) => ({
      ...item,
      since: null,
    }));
    const names = { place: "Thép Gia Minh", meter: null };
    expect(attentionWords(ahead!, names, en, "en").title).toBe("Thép Gia Minh: the gateway's clock is 1 min ahead");
    expect(attentionWords(behind!, names, en, "en").title).toBe("Thép Gia Minh: the gateway's clock is 2 h behind");
    expect(attentionWords(behind!, names, vi, "vi").title).toBe(
      "Thép Gia Minh: đồng hồ giờ của gateway chạy chậm 2 giờ",
    );
  });
});

test("a meter of which more readings are stored than were taken is one item, since the oldest of the day's intervals", () => {
  const row = { gateway: GATEWAY, device: "furnace", name: null, parent: null } as MeterRow;
  const alarm = (quarter: number, change: Partial<Alarm> = {}): Alarm => ({
    code: STORED_EXCEEDS_READ,
    gateway: GATEWAY,
    device: "furnace",
    at_ms: START_MS + quarter * QUARTER_MS + 1000,
    detail: { quantity: "active_energy_import_total", from_ms: START_MS + quarter * QUARTER_MS, read: 90, stored: 91 },
    ...change,
  });
  const alarms = [alarm(-9), alarm(2), alarm(1), alarm(3, { code: "BOOKS_DISAGREE" }), alarm(3, { device: "other" })];
  expect(storedExceedsRead([catalogMeter(row, "steel")], alarms, START_MS)).toEqual([
    {
      severity: "warn",
      code: "stored-exceeds-read",
      site: "steel",
      gateway: "gw-01",
      meter: "gw-01/furnace",
      since_ms: START_MS + QUARTER_MS,
      params: { intervals: 2 },
    },
  ]);
});

test("a meter whose counts do not meet is one item, told in both languages", () => {
  const row = { gateway: GATEWAY, device: "furnace", name: null, parent: null } as MeterRow;
  const from_ms = START_MS + QUARTER_MS;
  const detail = { quantity: "active_energy_import_total", from_ms, ticks: "-19" };
  const alarm: Alarm = { code: COUNTS_APART, gateway: GATEWAY, device: "furnace", at_ms: from_ms + 9, detail };
  const [item, ...more] = countsApart([catalogMeter(row, "steel")], [alarm, { ...alarm, code: "OTHER" }], START_MS);
  expect(more).toEqual([]);
  expect(item).toMatchObject({ severity: "warn", code: "counts-apart", meter: "gw-01/furnace", since_ms: from_ms });
  const names = { place: "Thép Gia Minh", meter: "lò" };
  expect(attentionWords({ ...item!, since: null }, names, en, "en").title).toBe(
    "Thép Gia Minh: intervals of lò do not go on from one another",
  );
  expect(attentionWords({ ...item!, since: null }, names, vi, "vi").title).toBe(
    "Thép Gia Minh: các khoảng đo của lò không nối liền nhau",
  );
});

test("alarms of gateways are one item each with their sum, since the first that is not too old", () => {
  const alarm = (at_ms: number, edge = "gw-01"): Alarm => ({
    code: SESSIONS_TOO_MANY,
    gateway: { ...GATEWAY, edge },
    device: null,
    at_ms,
    detail: { sessions: 11, within_ms: 600_000 },
  });
  const alarms = [alarm(START_MS + 9), alarm(START_MS), alarm(START_MS - 1), alarm(START_MS, "gw-02")];
  const counted = { alarm: SESSIONS_TOO_MANY, counts: "sessions", since_ms: START_MS };
  const [item, ...more] = alarmed("gateway-sessions", [gateway(0)], alarms, counted);
  expect(more).toEqual([]);
  expect(item).toMatchObject({ severity: "warn", gateway: "gw-01", since_ms: START_MS, params: { sessions: 22 } });
  const words = attentionWords({ ...item!, since: null }, { place: "Thép Gia Minh", meter: null }, en, "en");
  expect(words.title).toBe("Thép Gia Minh: the gateway connected anew 22 times in an hour");
});

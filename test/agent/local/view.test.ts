import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { settingName } from "../../../agent/local/settingNames.ts";
import { clockText, durationText } from "../../../agent/local/text.ts";
import { meterView, ticksText } from "../../../agent/local/view.ts";
import {
  busWords,
  errorText,
  journalWords,
  kindOf,
  meterWords,
  setAsideText,
  uplinkWords,
} from "../../../agent/local/words.ts";
import { DOUBTED, failureWords } from "../../../agent/poll/words.ts";
import { loadModelLibrary } from "../../../config/models.ts";
import type { BusReply } from "../../../core/ports.ts";
import { bus, facts, GOOD_VALUES, meter, NOW, readings, view } from "./fixture.ts";

const now = { now_ms: NOW, timeZone: "Asia/Ho_Chi_Minh" };
const silent = {
  isAnswering: false,
  lastAnswer_ms: Date.parse("2026-11-22T10:35:02+07:00"),
  backoffUntil_ms: NOW + 31_500,
  lastError: { words: "no answer within 500 ms (function 4, address 0, 60 registers)", at_ms: NOW - 28_000 },
} as const;

describe("a meter in words", () => {
  test("that answers", () => {
    expect(meterWords(meter(), now)).toEqual({ level: "ok", text: { vi: "đang trả lời", en: "answering" } });
  });

  test("that is silent says since when and when it is asked again", () => {
    expect(meterWords(meter(silent), now)).toEqual({
      level: "bad",
      text: {
        vi: "không trả lời từ 10:35, hỏi lại sau 32\u00a0s",
        en: "not answering since 10:35, asked again in 32\u00a0s",
      },
    });
  });

  test("that was silent from the start", () => {
    const { text } = meterWords(meter({ ...silent, lastAnswer_ms: null, backoffUntil_ms: null }), now);
    expect(text).toEqual({
      vi: "không trả lời từ khi agent chạy, đang hỏi lại",
      en: "not answering since the agent started, being asked again",
    });
  });

  test("whose map was not found", () => {
    const looking = (why: string) =>
      meter({
        definition: null,
        isAnswering: false,
        lastAnswer_ms: null,
        lastPollDuration_ms: null,
        lastError: { words: `its register map was not found: ${why}`, at_ms: NOW - 5000 },
      });
    for (const why of ["no SunSpec marker at 40000, 50000, 0", "exception"]) {
      const { level, text } = meterWords(looking(why), now);
      expect(level).toBe("watch");
      expect(text.vi).toBe("chưa tìm thấy bản đồ SunSpec trên thiết bị, hỏi lại mỗi phút");
    }
    expect(meterView(looking("exception"), now).lastError?.text.en).toContain("switch SunSpec on at the device");
    expect(meterWords(looking("timeout"), now).text.en).toBe(
      "not answering since the agent started, being asked again",
    );
    expect(meterWords(looking("unreachable"), now).level).toBe("bad");
  });

  test("that was not asked yet", () => {
    const fresh = meter({ isAnswering: false, lastPollDuration_ms: null, lastAnswer_ms: null });
    expect(meterWords(fresh, now).level).toBe("idle");
  });

  test("with registers set aside says which, why and until when", () => {
    const aside = meter({
      blocks: [
        {
          state: "set-aside",
          fc: 3,
          address: 40_100,
          count: 2,
          registers: ["volume_base_error_total"],
          every_ms: 10_000,
          why: "exception 2 (illegal data address)",
          since_ms: NOW - 60_000,
          retryAt_ms: NOW + 540_000,
        },
      ],
    });
    expect(meterWords(aside, now).level).toBe("watch");
    expect(meterView(aside, now).setAside).toEqual([
      {
        fc: 3,
        address: 40_100,
        count: 2,
        registers: ["volume_base_error_total"],
        why: {
          vi: "thiết bị không có địa chỉ này (mã 2); thử lại sau 9\u00a0phút.",
          en: "the device has no such address (code 2); tried again in 9\u00a0min.",
        },
        retryAt_ms: NOW + 540_000,
      },
    ]);
  });
});

test("every failure the poller can put into words is told as what it is", () => {
  const read = { fc: 3, address: 10, count: 2 } as const;
  const replies: Exclude<BusReply, { kind: "words" }>[] = [
    { kind: "timeout" },
    { kind: "exception", code: 2 },
    { kind: "garbled", detail: "CRC error" },
    { kind: "unreachable", detail: "connect ECONNREFUSED" },
  ];
  for (const reply of replies) expect(kindOf(failureWords(reply, read, 500))).toBe(reply.kind);
  const late = { kind: "garbled", detail: "not asked: its replies come one question late" } as const;
  for (const words of [DOUBTED, failureWords(late, read, 500)]) {
    expect(kindOf(words)).toBe("behind");
    expect(errorText({ words, at_ms: NOW }, now).en).toMatch(/converter holds frames back or repeats them/);
  }
});

test("a refusal is explained by its code, and an unknown code is not hidden", () => {
  const said = (code: number) => errorText({ words: `exception ${code} (unknown) at …`, at_ms: NOW - 28_000 }, now).en;
  expect(said(2)).toBe("10:41: the device has no such address (code 2).");
  expect(said(77)).toBe("10:41: the device refuses (code 77).");
});

test("the error of a meter that answers again is told as past, without advice", () => {
  const lastError = { words: "no answer within 500 ms (function 4, address 0, 60 registers)", at_ms: NOW - 28_000 };
  expect(meterView(meter({ lastError }), now).lastError?.text).toEqual({
    vi: "10:41: không trả lời; nay đã trả lời.",
    en: "10:41: not answering; it answers now.",
  });
  expect(meterView(meter({ ...silent, lastError }), now).lastError?.text.en).toContain("check power, wiring");
});

test("a block that alone is not answered is told apart from a silent meter", () => {
  const why = "no answer to this block, though the meter answers others";
  expect(setAsideText({ why, retryAt_ms: NOW + 60_000 }, now).vi).toContain("các khối khác vẫn trả lời");
});

describe("a bus in words", () => {
  test.each([
    ["works", bus([meter()]), "ok"],
    ["has a silent meter", bus([meter(), meter(silent)]), "watch"],
    ["has only silent meters", bus([meter(silent)]), "bad"],
    ["needs more time than there is", bus([meter()], { needed_ms: 1240 }), "bad"],
    ["leaves polls out for want of time", bus([meter()], { isOverloaded: true, needed_ms: 900 }), "bad"],
    ["leaves polls out, and has time", bus([meter()], { isOverloaded: true, needed_ms: 131 }), "watch"],
    ["cannot be reached", bus([meter()], { backoffUntil_ms: NOW + 5000 }), "bad"],
    ["has not begun", bus([meter({ isAnswering: false, lastPollDuration_ms: null })]), "idle"],
  ] as const)("that %s", (_what, facts, level) => {
    expect(busWords(facts, now).level).toBe(level);
  });
});

describe("the uplink in words", () => {
  const all = { unconfirmed: 0, oldestUnconfirmed_ms: null };
  const some = { unconfirmed: 1200, oldestUnconfirmed_ms: NOW - 3_900_000 };
  test("that is up to date", () => {
    expect(uplinkWords({ state: "born", sent: 5 }, all, now)).toEqual({
      level: "ok",
      text: {
        vi: "Đã nối với trung tâm. Mọi gói đã được xác nhận.",
        en: "Connected to the zone. Every batch is confirmed.",
      },
    });
  });
  test.each([
    ["born", "Connected, catching up. 1200 batches unconfirmed, the oldest 65\u00a0min ago."],
    [
      "waiting-for-host",
      "Connected to the broker, waiting for the zone's server. 1200 batches unconfirmed, the oldest 65\u00a0min ago.",
    ],
    ["connecting", "No broker yet; readings are kept here. 1200 batches unconfirmed, the oldest 65\u00a0min ago."],
  ] as const)("that is %s with a backlog", (state, said) => {
    expect(uplinkWords({ state, sent: 5 }, some, now)).toMatchObject({ level: "watch", text: { en: said } });
  });
});

describe("the journal says of itself", () => {
  const well = {
    isWritable: true,
    isBeyondBound: false,
    isBacklogAlarming: false,
    gaveWay: null,
    lost: 0,
    setAside: [],
  } as const;

  test.each([
    [{}, "ok", "Recording."],
    [{ setAside: ["a"] }, "watch", "1 damaged file set aside; what was sound is saved."],
    [{ gaveWay: "history" as const }, "ok", "Recording."],
    [{ isBacklogAlarming: true, gaveWay: "history" as const }, "watch", "before readings give way"],
    [{ isBacklogAlarming: true, gaveWay: "thinned" as const, lost: 7 }, "bad", "the energy stays whole"],
    [{ isBeyondBound: true }, "bad", "Beyond its bound"],
    [{ isWritable: false, isBeyondBound: true }, "bad", "The disk cannot be written"],
    [{ lost: 7 }, "ok", "7 lost so far, each on record."],
  ])("%o as %s", (change, level, said) => {
    const words = journalWords({ ...well, ...change });
    expect(words.level).toBe(level);
    expect(words.text.en).toContain(said);
  });
});

test("the page has main values first, each with its age, what is expected and whether it is old", () => {
  const document = view([bus([meter()])]);
  const values = document.buses[0]!.meters[0]!.values;
  expect(values.slice(0, 4).map(({ quantity }) => quantity)).toEqual([
    "active_power_total",
    "voltage_l1",
    "voltage_l2",
    "voltage_l3",
  ]);
  expect(values[1]).toMatchObject({ value: 231.2, expected: { low: 198, high: 253 }, level: "ok", age_ms: 400 });
  const old = new Map([...readings(GOOD_VALUES)].map(([q, r]) => [q, { ...r, at_ms: NOW - 10_000 }]));
  expect(meterView(meter({ last: old }), now).values.every(({ isOld }) => isOld)).toBe(true);
});

test("the status document is JSON: counters leave as exact decimal text", () => {
  const document = JSON.parse(JSON.stringify(view([bus([meter()])])));
  expect(document.buses[0].meters[0].counters[0]).toMatchObject({
    quantity: "active_energy_import_total",
    total: "812345.670",
    interval: null,
  });
  expect(document).toMatchObject({ gateway: "gw-01", pid: 4711, uplink: { unconfirmed: 4, level: "ok" } });
});

test("a meter that the poller knows and nothing was read from yet is still on the page", () => {
  const { buses } = facts([bus([meter({ last: new Map(), definition: null })])]);
  expect(meterView(buses[0]!.meters[0]!, now)).toMatchObject({ id: "line-1", values: [], counters: [] });
});

test("ticks become decimal text without losing a digit", () => {
  expect(ticksText(1n, { amount: "1", unit: "Wh" }, "kWh")).toBe("0.001");
  expect(ticksText(123_456n, { amount: "0.1", unit: "m3" }, "m3")).toBe("12345.6");
  expect(ticksText(7n, { amount: "10", unit: "kWh" }, "kWh")).toBe("70");
  fc.assert(
    fc.property(fc.bigInt({ min: -(10n ** 15n), max: 10n ** 15n }), (ticks) => {
      const text = ticksText(ticks, { amount: "1", unit: "Wh" }, "kWh");
      expect(BigInt(text.replace(".", ""))).toBe(ticks);
    }),
  );
});

test("times are the zone's, with the day when it is not today, and durations are short", () => {
  expect(clockText(NOW - 60_000, NOW, now.timeZone).vi).toBe("10:41");
  expect(clockText(NOW - 86_400_000, NOW, now.timeZone)).toEqual({ vi: "10:42 ngày 21/11", en: "10:42 on 21/11" });
  expect(
    [500, 32_000, 240_000, 11_100_000, 7_200_000, 200_000_000].map((ms) =>
      durationText(ms).vi.replaceAll("\u00a0", " "),
    ),
  ).toEqual(["1 s", "32 s", "4 phút", "3 giờ 5 phút", "2 giờ", "2 ngày"]);
});

test("every setting of the library has a name in both languages", () => {
  const settings = [...loadModelLibrary().values()].flatMap(({ registers }) =>
    registers.filter(({ kind }) => kind === "setting" || kind === "info").map(({ name }) => name),
  );
  for (const name of settings) {
    expect(`${settingName(name).en} ${settingName(name).vi}`, name).not.toContain("_");
  }
  expect(settingName("odd_one")).toEqual({ vi: "odd_one", en: "odd_one" });
});

test("a setting that is not what it was is on the meter's first line, in words, for a week", () => {
  const serial = { name: "serial_number", value: "4712", unit: "", since_ms: NOW - 3_600_000, before: "4711" };
  const ratio = { name: "ct_ratio", value: "80", unit: "", since_ms: NOW - 86_400_000, before: null };
  const { state, settings } = meterView(meter({ settings: [ratio, serial] }), now);
  expect(state.level).toBe("watch");
  expect(state.text.en).toMatch(/^serial number changed from 4711 to 4712 \(.*\): another meter\?$/);
  expect(state.text.vi).toMatch(/^số máy đổi từ 4711 thành 4712/);
  const label = { vi: "tỷ số CT", en: "CT ratio" };
  expect(settings).toMatchObject([{ name: "ct_ratio", label, value: "80", changed: null }, { changed: state.text }]);
  const weekAgo = meterView(meter({ settings: [{ ...serial, since_ms: NOW - 8 * 86_400_000 }] }), now);
  expect(weekAgo.state.level).toBe("ok");
  const set = meterView(meter({ settings: [{ ...serial, name: "ct_ratio", value: "40", before: "80" }] }), now);
  expect(set.state.text.en).toMatch(/^CT ratio changed from 80 to 40 \(.*\): check CT and VT ratios on the meter$/);
  const order = { ...serial, name: "register_order", value: "-8608027648", before: "2141" };
  const swapped = meterView(meter({ settings: [order] }), now);
  expect(swapped.state.text.en).toMatch(
    /^word order of registers changed from 2141 .*: check the settings on the meter$/,
  );
});

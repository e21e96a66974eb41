import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Attention, Energy, LiveEvent, Meter } from "../../../cloud/api/schemas.ts";
import { problemOf } from "../../../cloud/web/api.ts";
import { ageOfNewest_ms, LIVE_START, liveStep, retryDelay_ms } from "../../../cloud/web/app/live.ts";
import { tokenOf } from "../../../cloud/web/colours.ts";
import { csvOf } from "../../../cloud/web/csv.ts";
import { barUnit } from "../../../cloud/web/derive.ts";
import { bandPath, flowBlocks, placeBlock, shortened } from "../../../cloud/web/pages/factory/flow.ts";
import { asTree, shownMeter } from "../../../cloud/web/pages/factory/readings.ts";
import { labelPlaces, PLAN, planPlace } from "../../../cloud/web/pages/overview/planLayout.ts";
import { sparkPath } from "../../../cloud/web/parts/sparkPath.ts";
import { attentionWords } from "../../../cloud/web/text/attention.ts";
import { en } from "../../../cloud/web/text/en.ts";
import { vi } from "../../../cloud/web/text/vi.ts";
import {
  formulaText,
  groupedDigits,
  readTimeText,
  registerParts,
  tickDifference,
  tickText,
  wordsOf,
} from "../../../cloud/web/why/words.ts";
import { energy as energyAnswer, live, meters as meterAnswer } from "./mock/world.ts";

const NOW = Date.parse("2026-11-20T14:32:10+07:00");
const WEEK = { zone: "kcn-demo", from_ms: Date.parse("2026-11-13T00:00:00+07:00"), to_ms: NOW, step: "year" as const };

describe("live line", () => {
  const event: LiveEvent = live("normal", NOW);
  test("an event opens it and tells how far the clocks are apart", () => {
    const state = liveStep(LIVE_START, { kind: "event", event, now_ms: NOW - 5_000 });
    expect(state.connection).toBe("open");
    expect(state.clockOffset_ms).toBe(5_000);
  });
  test("a failure keeps the last figures and remembers since when", () => {
    const open = liveStep(LIVE_START, { kind: "event", event, now_ms: NOW });
    const lost = liveStep(open, { kind: "failed", now_ms: NOW + 1_000 });
    const still = liveStep(lost, { kind: "failed", now_ms: NOW + 3_000 });
    expect(still).toMatchObject({ connection: "lost", lostSince_ms: NOW + 1_000, failures: 2, event });
    expect(liveStep(still, { kind: "event", event, now_ms: NOW + 4_000 })).toMatchObject({
      connection: "open",
      lostSince_ms: null,
      failures: 0,
    });
  });
  test("retries soon at first, then every 15 s at most", () => {
    expect([1, 2, 3, 4, 5, 50].map(retryDelay_ms)).toEqual([1000, 2000, 4000, 8000, 15_000, 15_000]);
  });
  test("the age shown is that of the newest reading, not of the event", () => {
    expect(ageOfNewest_ms(live("stale", NOW), NOW)).toBe(25 * 60_000);
    expect(ageOfNewest_ms(live("empty", NOW), NOW)).toBe(0);
  });
});

describe("texts", () => {
  const keysOf = (value: object, path = ""): string[] =>
    Object.entries(value).flatMap(([key, inner]) =>
      typeof inner === "object" && inner !== null ? keysOf(inner, `${path}${key}.`) : [`${path}${key}`],
    );
  test("both languages say the same things", () => expect(keysOf(en)).toEqual(keysOf(vi)));
  test("nothing is left empty", () => {
    for (const texts of [vi, en]) {
      for (const path of keysOf(texts)) {
        const value = path.split(".").reduce<unknown>((at, key) => (at as Record<string, unknown>)[key], texts);
        if (typeof value === "string" && !path.startsWith("factory.loadStep.")) expect(value, path).not.toBe("");
      }
    }
  });

  const item = (code: string, more: Partial<Attention> = {}): Attention => ({
    severity: "warn",
    code,
    site: "s",
    gateway: "gw-01",
    meter: "gw-01/gas",
    since: null,
    params: {},
    ...more,
  });
  const names = { place: "An Lão", meter: "Khí lò hơi" };
  test("every code of the API has a sentence in both languages, with the names in it", () => {
    const codes = [
      "gateway-offline",
      "meter-silent",
      "missing-data",
      "backlog",
      "books-disagree",
      "dead-letters",
      "bad-values",
      "batch-quarantined",
      "gateway-sessions",
      "messages-given-up",
    ];
    for (const code of codes) {
      for (const [texts, lang] of [
        [vi, "vi"],
        [en, "en"],
      ] as const) {
        const words = attentionWords(item(code), names, texts, lang);
        expect(words.title, code).toContain("An Lão");
        expect(words.detail.length, code).toBeGreaterThan(20);
        expect(`${words.title}${words.detail}`, code).not.toContain("undefined");
      }
    }
  });
  test("a factor is called by its carrier's name in the reader's language", () => {
    const factor = item("provisional-factor", {
      site: null,
      gateway: null,
      meter: null,
      params: { name_vi: "Điện lưới", name_en: "Grid electricity" },
    });
    const nameless = { place: null, meter: null };
    expect(attentionWords(factor, nameless, vi, "vi").title).toContain("Điện lưới");
    expect(attentionWords(factor, nameless, en, "en").title).toContain("Grid electricity");
  });
  test("missing time is said as time", () => {
    const words = attentionWords(item("missing-data", { params: { hours: 1.5, intervals: 6 } }), names, vi, "vi");
    expect(words.detail).toContain("1 giờ 30 phút");
  });
  test("a code the page does not know is shown, not dropped", () => {
    expect(attentionWords(item("flux-capacitor"), names, en, "en").detail).toContain("flux-capacitor");
  });
});

describe("register words", () => {
  test("are grouped by register", () => {
    expect(wordsOf("0000000106422c4c")).toEqual(["0000", "0001", "0642", "2C4C"]);
    expect(wordsOf("")).toEqual([]);
  });

  test("say when they were read to the millisecond, in the zone's time", () => {
    const at_ms = Date.parse("2026-11-22T14:29:59.075+07:00");
    expect(readTimeText(at_ms, "Asia/Ho_Chi_Minh", "vi")).toBe("14:29:59,075");
    expect(readTimeText(at_ms, "Asia/Ho_Chi_Minh", "en")).toBe("14:29:59.075");
  });
  test("a register is function, address and type", () => {
    expect(registerParts("3:3203:i64")).toEqual({ fc: "3", address: "3203", type: "i64" });
  });
  test("counts beyond what a double holds subtract exactly", () => {
    expect(tickDifference("9007199254740993", "9007199254740995")).toBe("2");
    expect(tickDifference(null, "5")).toBeNull();
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n }), fc.bigInt({ min: 0n, max: 2n ** 64n }), (a, b) => {
        expect(tickDifference(String(a), String(b))).toBe(String(b - a));
      }),
    );
  });
  test("digits are grouped for the reader", () => {
    expect(groupedDigits("11645447583", "vi")).toBe("11.645.447.583");
    expect(groupedDigits("123", "en")).toBe("123");
  });
  test("formulas and ticks are written with proper signs and the reader's decimals", () => {
    expect(formulaText("45.46724 MWh × 0.6592 tCO2/MWh = 29.972004606 t CO2e", "vi")).toBe(
      "45,46724 MWh × 0,6592 tCO₂/MWh = 29,972004606 t CO₂e",
    );
    expect(formulaText("2 Nm3", "en")).toBe("2 Nm³");
    expect(tickText("0.1 m3{normal}", () => "Nm³")).toBe("0.1 Nm³");
  });
});

describe("energy flow", () => {
  const flowOf = (site: string, exported_Wh = 0) =>
    flowBlocks(energyAnswer({ ...WEEK, site }, "meter", NOW), meterAnswer(site, "normal", NOW), exported_Wh);
  test("what comes in goes somewhere: sub-meters, the grid, or the part nobody meters", () => {
    const [block] = flowOf("dien-tu-bac-son", 1_000_000);
    const supplied = block!.nodes.find((node) => node.role === "site")!.value;
    const out = block!.links.filter((link) => link.from === "site").reduce((sum, link) => sum + link.value, 0);
    const into = block!.links.filter((link) => link.to === "site").reduce((sum, link) => sum + link.value, 0);
    expect(into).toBeCloseTo(supplied, 3);
    expect(out).toBeCloseTo(supplied, 3);
    expect(block!.nodes.map((node) => node.role)).toEqual([
      "grid",
      "generation",
      "site",
      "meter",
      "meter",
      "unmetered",
      "export",
    ]);
  });
  test("each kind of energy is a block in its own unit", () => {
    expect(flowOf("thuc-pham-an-lao").map((block) => [block.carrier, block.unit])).toEqual([
      ["electricity", "W.h"],
      ["natural_gas", "m3{normal}"],
      ["water", "m3"],
    ]);
  });
  test("sub-meters that count more than their feeder are named, not cut", () => {
    const meters: Meter[] = meterAnswer("thep-gia-minh", "normal", NOW);
    const answer: Energy = energyAnswer({ ...WEEK, site: "thep-gia-minh" }, "meter", NOW);
    const inflated: Energy = {
      ...answer,
      groups: answer.groups.map((group) =>
        group.key === "gw-01/furnace" ? { ...group, total: { ...group.total, value: group.total.value! * 2 } } : group,
      ),
    };
    const [block] = flowBlocks(inflated, meters, 0);
    expect(block!.overfull[0]?.excess_pct).toBeGreaterThan(10);
    expect(block!.nodes.some((node) => node.role === "unmetered")).toBe(false);
  });
  test("nothing measured draws nothing", () => {
    const nothing = energyAnswer({ ...WEEK, site: "thep-gia-minh", to_ms: WEEK.from_ms + 1 }, "meter", WEEK.from_ms);
    expect(flowBlocks(nothing, meterAnswer("thep-gia-minh", "normal", NOW), 0)).toEqual([]);
  });
  test("labels of one column never lie on each other", () => {
    const placed = placeBlock(flowOf("dien-tu-bac-son", 1_000_000)[0]!, 360, 140);
    const last = placed.nodes.filter((node) => node.column === 2).map((node) => node.y);
    for (let index = 1; index < last.length; index++)
      expect(last[index]! - last[index - 1]!).toBeGreaterThanOrEqual(38);
    for (const link of placed.links) expect(bandPath(link)).not.toContain("NaN");
  });
  test("long names are cut with an ellipsis", () => {
    expect(shortened("Điều hòa, phòng sạch", 80)).toBe("Điều hòa, ph…");
    expect(shortened("Lưới", 80)).toBe("Lưới");
  });
});

describe("meters", () => {
  test("sub-meters follow what feeds them", () => {
    const rows = asTree(meterAnswer("dien-tu-bac-son", "normal", NOW));
    expect(rows.map(({ meter, depth }) => [meter.device, depth])).toEqual([
      ["incomer", 0],
      ["smt", 1],
      ["hvac", 1],
      ["solar", 0],
    ]);
  });
  test("a meter whose parent is not listed still shows", () => {
    const orphans = meterAnswer("dien-tu-bac-son", "normal", NOW).filter((meter) => meter.device !== "incomer");
    expect(asTree(orphans)).toHaveLength(3);
  });
  test("the live line moves values on, and a silent meter keeps its last ones with their age", () => {
    const all = meterAnswer("thuc-pham-an-lao", "normal", NOW);
    const event = live("normal", NOW);
    const gas = all.find((meter) => meter.device === "gas")!;
    const shown = shownMeter(gas, event.meters.find((one) => one.id === gas.id)!);
    expect(NOW - shown.at_ms!).toBeGreaterThan(3 * 3_600_000);
    expect(shown.main?.quantity).toBe("flow_base");
    const incomer = all.find((meter) => meter.device === "incomer")!;
    const own = event.meters.find((one) => one.id === incomer.id)!;
    expect(shownMeter(incomer, own).main?.value).toBe(own.values.active_power_total);
  });
});

describe("drawings", () => {
  test("the area of a plan's circle is in proportion to tonnes", () => {
    const whole = planPlace({ x: 0.5, y: 0.5 }, 400, 400);
    const quarter = planPlace({ x: 0.5, y: 0.5 }, 100, 400);
    expect(whole.radius / quarter.radius).toBeCloseTo(2, 9);
    expect(planPlace({ x: 9, y: -9 }, null, 400)).toMatchObject({
      x: PLAN.width - PLAN.right,
      y: PLAN.top,
      radius: PLAN.radiusMin,
    });
  });
  test("names on the zone plan stand under their circles, and out of the way where a neighbour is", () => {
    const circle = (x: number, y: number, name: string) => ({
      at: { x, y, radius: 20, isRoomy: true },
      name,
      hasNumber: true,
    });
    expect(labelPlaces([circle(180, 60, "Thép")])).toEqual([{ x: 180, y: 93 }]);
    const near = [circle(180, 60, "Thép Gia Minh"), circle(180, 105, "Dệt Phương Nam")];
    const [upper, lower] = labelPlaces(near);
    expect(lower).toEqual({ x: 180, y: 138 });
    // The upper name's letters, 10 above to 3 below its line, meet neither circle.
    const half = ("Thép Gia Minh".length * 5.8) / 2;
    for (const { at } of near) {
      const isBeside = Math.abs(upper!.x - at.x) >= half + at.radius;
      const isApart = upper!.y - 10 >= at.y + at.radius || upper!.y + 3 <= at.y - at.radius;
      expect(isBeside || isApart).toBe(true);
    }
    const names = fc.array(fc.tuple(fc.nat(360), fc.nat(250), fc.string({ maxLength: 20 })), { maxLength: 12 });
    fc.assert(
      fc.property(names, (all) => {
        const places = labelPlaces(all.map(([x, y, name]) => circle(x, y, name)));
        expect(places).toHaveLength(all.length);
        for (const [at, place] of places.entries()) {
          const width = all[at]![2].length * 5.8;
          expect(place.x - width / 2).toBeGreaterThanOrEqual(-1e-9);
          expect(place.x + width / 2).toBeLessThanOrEqual(PLAN.width + 1e-9);
        }
      }),
    );
  });
  test("a chart of little is in kilograms, of more in tonnes", () => {
    const bar = (total_t: number | null) => ({
      from_ms: 0,
      to_ms: 1,
      parts: [],
      total_t,
      state: "whole" as const,
      coverage_pct: 100,
    });
    expect(barUnit([bar(0.02), bar(null), bar(0.0999)])).toEqual({ unit: "kg", perTonne: 1000 });
    expect(barUnit([bar(0.02), bar(0.1)])).toEqual({ unit: "t", perTonne: 1 });
    expect(barUnit([bar(null), bar(0)]).unit).toBe("t");
  });
  test("a sparkline breaks where power is unknown", () => {
    const at = (index: number, power_W: number | null) => ({ from_ms: index, to_ms: index + 1, power_W });
    const path = sparkPath(
      [at(0, 5), at(1, 6), at(2, null), at(3, 4)],
      { from_ms: 0, to_ms: 4 },
      { width: 40, height: 10 },
    );
    expect(path.match(/M/g)).toHaveLength(2);
    expect(sparkPath([at(0, null)], { from_ms: 0, to_ms: 4 }, { width: 40, height: 10 })).toBe("");
  });
  test("carriers and scopes keep their colour however the API spells it", () => {
    expect(tokenOf("scope1", null)).toBe("scope-1");
    expect(tokenOf("natural_gas", "gas")).toBe("c-gas");
    expect(tokenOf("hydrogen", "--c-steam")).toBe("c-steam");
    expect(tokenOf("thep-gia-minh", null)).toBe("scope-3");
  });
});

test("a CSV field with commas, quotes or line breaks is quoted; unknown is empty", () => {
  expect(
    csvOf(
      ["a", "b,c"],
      [
        [1.5, 'say "x"'],
        [null, "Điện"],
      ],
    ),
  ).toBe('\ufeffa,"b,c"\r\n1.5,"say ""x"""\r\n,Điện\r\n');
});

test("a problem without a document is still said by its status", () => {
  expect(problemOf(502, "<html>")).toMatchObject({ title: "HTTP 502", hint: "" });
  expect(problemOf(404, { title: "No such site", hint: "Ask /sites." })).toMatchObject({
    title: "No such site",
    hint: "Ask /sites.",
  });
});

describe("tokens", () => {
  const css = readFileSync(new URL("../../../cloud/web/tokens.css", import.meta.url), "utf8");
  const [light = "", dark = ""] = css.split('[data-theme="dark"]');
  const colour = (theme: string, name: string): string => {
    const found =
      new RegExp(`--${name}: (#[0-9a-f]{6})`).exec(theme)?.[1] ??
      new RegExp(`--${name}: (#[0-9a-f]{6})`).exec(light)?.[1];
    if (found === undefined) throw new Error(`no --${name}`);
    return found;
  };
  const luminance = (hex: string): number => {
    const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
      const c = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
      return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a: string, b: string): number => {
    const [high = 0, low = 0] = [luminance(a), luminance(b)].sort((x, y) => y - x);
    return (high + 0.05) / (low + 0.05);
  };
  const pairs = [
    ...["ink", "ink-2", "ink-3"].flatMap((ink) => ["surface", "bg", "sunken"].map((ground) => [ink, ground])),
    ...["good", "warn", "bad"].map((word) => [word, "surface"]),
    ["warn", "warn-soft"],
    ["bad", "bad-soft"],
    ["ink", "accent-soft"],
    ["surface", "ink"],
  ] as const;
  test.each([
    ["light", light],
    ["dark", dark],
  ])("every text colour of the %s theme reads at AA on its grounds", (_, theme) => {
    for (const [text, ground] of pairs) {
      expect(contrast(colour(theme, text!), colour(theme, ground!)), `${text} on ${ground}`).toBeGreaterThanOrEqual(
        4.5,
      );
    }
  });
});

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { build } from "vite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launchChromium, whyNoChromium } from "../../e2e/browser/chromium.ts";
import { type MockServer, startMock } from "./mock/server.ts";

/** The built page in a real browser, against the mock server and under its content security policy. */
const START = Date.parse("2026-11-22T14:32:10+07:00");
const skip = whyNoChromium();
if (skip !== null) console.info(skip);

let browser: Browser;
let mock: MockServer;
let webDir: string;
/** The mock server's clock. */
let now_ms = START;

interface Opened {
  readonly page: Page;
  /** What the page complained of, and every request that left for another host. */
  readonly complaints: string[];
}

interface Look {
  readonly path?: string;
  readonly lang?: "vi" | "en";
  readonly theme?: "light" | "dark";
  readonly size?: { readonly width: number; readonly height: number };
}

async function open({
  path = "/",
  lang = "vi",
  theme = "light",
  size = { width: 1440, height: 900 },
}: Look = {}): Promise<Opened> {
  // A reader far from the zone: every time on the page must still be the zone's.
  const context = await browser.newContext({ viewport: size, timezoneId: "America/New_York", acceptDownloads: true });
  await context.addInitScript(
    (choice) => {
      localStorage.setItem("khuxanh.lang", choice.lang);
      localStorage.setItem("khuxanh.theme", choice.theme);
    },
    { lang, theme },
  );
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("request", (request) => {
    const { protocol, origin } = new URL(request.url());
    if (protocol.startsWith("http") && origin !== mock.url) complaints.push(`asked ${origin}`);
  });
  await page.clock.install({ time: START });
  await page.goto(`${mock.url}${path}`);
  await page.getByRole("heading", { level: 1 }).waitFor({ state: "attached" });
  return { page, complaints };
}

const widths = (page: Page): Promise<number[]> =>
  page.evaluate<number[]>("[document.documentElement.scrollWidth, innerWidth]");

describe.skipIf(skip !== null)("the page in a browser", { timeout: 60_000 }, () => {
  beforeAll(async () => {
    webDir = mkdtempSync(join(tmpdir(), "khuxanh-web-"));
    const configFile = fileURLToPath(new URL("../../../cloud/web/vite.config.ts", import.meta.url));
    await build({ configFile, logLevel: "error", build: { outDir: webDir } });
    mock = await startMock({ webDir, now_ms: () => now_ms });
    browser = await launchChromium();
  }, 60_000);

  afterAll(async () => {
    await browser?.close();
    await mock?.close();
    rmSync(webDir, { recursive: true, force: true });
  });

  const calm = (): void => {
    now_ms = START;
    mock.setScenario("normal");
    mock.setFailing(false);
    mock.restoreLive();
  };

  test.each([
    ["vi", "light", "818,0", "Tổng quan: KCN Demo"],
    ["en", "dark", "818.0", "Overview: Demo zone"],
  ] as const)("shows the overview on one screen in %s, %s, without a complaint", async (lang, theme, tonnes, title) => {
    calm();
    const { page, complaints } = await open({ lang, theme });
    await page.getByRole("heading", { level: 1, name: title }).waitFor({ state: "attached" });
    await page.locator(".num-why", { hasText: tonnes }).waitFor();
    await page.locator(".overview-bars canvas").waitFor();
    await page.locator(".ranking tbody tr").nth(2).waitFor();
    expect(await page.locator("html").getAttribute("lang")).toBe(lang);
    expect(await page.locator("html").getAttribute("data-theme")).toBe(theme);
    expect(await page.evaluate<boolean>("document.documentElement.scrollHeight <= innerHeight")).toBe(true);
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  test("switches language and theme at once, and remembers both", async () => {
    calm();
    const { page, complaints } = await open();
    await page.getByRole("button", { name: "EN" }).click();
    await page.getByText("Needs attention").first().waitFor();
    await page.getByRole("button", { name: "Switch to the dark theme" }).click();
    expect(await page.locator("html").getAttribute("data-theme")).toBe("dark");
    expect(
      await page.evaluate(() => [localStorage.getItem("khuxanh.lang"), localStorage.getItem("khuxanh.theme")]),
    ).toEqual(["en", "dark"]);
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  test.each([
    [1024, 768],
    [390, 844],
  ])("needs no sideways scrolling at %i × %i", async (width, height) => {
    calm();
    const look = async (path: string): Promise<void> => {
      const { page, complaints } = await open({ path, size: { width, height } });
      await page.locator("canvas").first().waitFor();
      const [content = 0, window = 0] = await widths(page);
      expect(content, path).toBeLessThanOrEqual(window);
      expect(complaints).toEqual([]);
      await page.context().close();
    };
    await Promise.all(["/", "/?site=thuc-pham-an-lao", "/?site=dien-tu-bac-son&period=week"].map(look));
  });

  test("leads from a number to the register words, keeps that in the address, and Back closes it", async () => {
    calm();
    const { page, complaints } = await open({ path: "/?site=thuc-pham-an-lao" });
    await page.locator(".num-why").click();
    const sheet = page.getByRole("dialog", { name: "Vì sao có con số này?" });
    await sheet.getByText("MWh × 0,6592 tCO₂/MWh").waitFor();
    await sheet.locator(".activity .disclose").first().click();
    await sheet.locator(".intervals .disclose").first().click();
    expect(await sheet.locator(".words").first().locator("span").allTextContents()).toHaveLength(4);
    // Each boundary lies between two readings of the mock meter: both are there, and said to be.
    expect(await sheet.locator(".boundaries .words").count()).toBe(4);
    expect(await sheet.locator(".boundaries .across").allTextContents()).toEqual(
      Array(2).fill("nội suy giữa hai lần đọc"),
    );
    await sheet.getByText("Nguồn thứ cấp, chưa kiểm chứng").first().waitFor();
    expect(new URL(page.url()).searchParams.get("why")).toContain("thuc-pham-an-lao");
    const download = page.waitForEvent("download");
    await sheet.getByRole("button", { name: "Tải chuỗi chứng cứ (JSON)" }).click();
    const saved = JSON.parse(readFileSync(await (await download).path(), "utf8"));
    expect(saved.activities).toHaveLength(2);
    for (const activity of saved.activities) expect(activity.intervals).toHaveLength(activity.intervals_total);
    // On past the two hundred that the first answer holds.
    for (let shown = 50; shown < 300; shown += 50) {
      await sheet.locator(".intervals-foot button").click();
      await sheet.getByText(`đang xem ${shown + 50} khoảng`).waitFor();
    }
    expect(await sheet.locator(".intervals tbody tr:not(.interval-open)").count()).toBe(300);
    await page.goBack();
    await sheet.waitFor({ state: "detached" });
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  test("says a lost connection and heals by itself", async () => {
    calm();
    const { page } = await open();
    await page.locator(".live-open").waitFor();
    mock.dropLive();
    await page.getByRole("alert").getByText("Mất kết nối với máy chủ").waitFor();
    await page.locator(".live-lost").waitFor();
    // What was green a moment ago is not known to be green now.
    expect(await page.locator(".nav .dot:not(.dot-unknown)").count()).toBe(0);
    mock.restoreLive();
    await page.locator(".live-open").waitFor();
    await page.getByRole("alert").waitFor({ state: "detached" });
    await page.locator(".nav .dot-ok").first().waitFor({ state: "attached" });
    await page.context().close();
  });

  test("shows how old stale data is", async () => {
    calm();
    mock.setScenario("stale");
    const { page } = await open({ path: "/?site=thep-gia-minh", lang: "en" });
    await page.locator(".live-stale", { hasText: "Old data" }).waitFor();
    await page.locator(".meters .stale .age", { hasText: "25 min ago" }).first().waitFor();
    await page.context().close();
  });

  test("goes from the table to a factory and back, and keeps the period in the address", async () => {
    calm();
    const { page, complaints } = await open();
    await page.getByRole("button", { name: "7 ngày" }).click();
    await page.locator(".ranking").getByRole("link", { name: "Điện tử Bắc Sơn" }).click();
    await page.getByRole("heading", { level: 1, name: "Điện tử Bắc Sơn" }).waitFor();
    expect(new URL(page.url()).search).toBe("?site=dien-tu-bac-son&period=week");
    await page.goBack();
    await page.getByRole("heading", { level: 1, name: "Tổng quan: KCN Demo" }).waitFor({ state: "attached" });
    expect(new URL(page.url()).search).toBe("?period=week");
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  test("zooms the load curve by dragging, resets it, and gives the same data as table and CSV", async () => {
    calm();
    const { page, complaints } = await open({ path: "/?site=dien-tu-bac-son&period=week" });
    const panel = page.getByRole("region", { name: "Biểu đồ phụ tải" });
    await panel.locator("canvas").waitFor();
    const box = (await panel.locator(".chart").boundingBox())!;
    await page.mouse.move(box.x + 200, box.y + 80);
    await page.mouse.down();
    await page.mouse.move(box.x + 400, box.y + 100, { steps: 5 });
    await page.mouse.up();
    await panel.getByRole("button", { name: "Về toàn kỳ" }).click();
    await panel.getByRole("button", { name: "Về toàn kỳ" }).waitFor({ state: "detached" });
    const download = page.waitForEvent("download");
    await panel.getByRole("button", { name: "Tải số liệu của biểu đồ (CSV)" }).click();
    const lines = readFileSync(await (await download).path(), "utf8")
      .trim()
      .split("\r\n");
    expect(lines).toHaveLength(1 + 7 * 96);
    expect(lines[1]).toMatch(/^2026-11-16T00:00:00\+07:00,2026-11-16T00:15:00\+07:00,\d/);
    await panel.getByRole("button", { name: "Bảng" }).click();
    await panel.getByRole("cell", { name: "16/11 00:00" }).first().waitFor();
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  test("teaches what to do while there is no data, and shows dashes, not zeros", async () => {
    calm();
    mock.setScenario("empty");
    const { page, complaints } = await open({ lang: "en" });
    await page.getByText("Figures appear once the first 15-minute interval is complete.").waitFor();
    expect(await page.locator(".strip .num").first().textContent()).toContain("–");
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  test("shows the server's own words for a failure, and tries again on demand", async () => {
    calm();
    mock.setFailing(true);
    const { page } = await open({ lang: "en" });
    await page.locator(".strip-failed").getByText("Wait a minute, then try again.").waitFor();
    mock.setFailing(false);
    await page.locator(".strip-failed").getByRole("button", { name: "Try again" }).click();
    await page.locator(".num-why", { hasText: "818.0" }).waitFor();
    await page.context().close();
  });

  test("is walked by keyboard: skip link first, figures explain themselves on focus, Escape closes the sheet", async () => {
    calm();
    const { page } = await open({ lang: "en" });
    await page.locator(".num-why").waitFor();
    await page.keyboard.press("Tab");
    expect(await page.evaluate<string>("document.activeElement.textContent")).toBe("Skip to the main content");
    await page.locator(".strip .coverage").first().focus();
    await page.getByRole("tooltip").getByText("of the period so far was measured").waitFor();
    await page.locator(".num-why").focus();
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    expect(await page.evaluate<string>("document.activeElement.className")).toContain("num-why");
    await page.context().close();
  });

  test("asks again for the figures when the books grow", async () => {
    calm();
    const { page, complaints } = await open({ path: "/?period=today" });
    await page.locator(".live-open").waitFor();
    await page.locator(".num-why", { hasText: "7,58" }).waitFor();
    now_ms = START + 900_000;
    await page.locator(".num-why", { hasText: /^7,[6-9]/ }).waitFor();
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  test("tells how far the demo's history has come", async () => {
    calm();
    mock.setScenario("building");
    const { page } = await open();
    await page.getByText("Đang dựng lịch sử 12/30 ngày").waitFor();
    await page.context().close();
  });
});

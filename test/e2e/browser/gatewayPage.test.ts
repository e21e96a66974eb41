import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openOwnedBus } from "../../../agent/local/agentBus.ts";
import type { RunningAgent } from "../../../agent/main.ts";
import { systemClock, systemTimers } from "../../../cli/io/system.ts";
import { readLook } from "../../../cli/look.ts";
import { loadModelLibrary } from "../../../config/models.ts";
import { readProfile } from "../../../hw-sim/profiles/io.ts";
import { type RunningSim, startSim } from "../../../hw-sim/sim.ts";
import { startAgentOf, tempDir } from "../harness.ts";
import { launchChromium, whyNoChromium } from "./chromium.ts";

/** The page of a real agent in a real browser: two meters that answer, one that never does, no broker. */
const SILENT_UNIT = 3;
/** Set to a folder, the test leaves screenshots there, to be looked at. */
const shots = process.env.KHUXANH_SHOTS;
const skip = whyNoChromium();
if (skip !== null) console.info(skip);

const dir = tempDir();
let sim: RunningSim;
let agent: RunningAgent;
let browser: Browser;

function agentYaml(modbusPort: number): string {
  return `
zone: kcn-test
site: thep-gia-minh
gateway: gw-01
data_dir: ${dir.path}/gw-01
buses:
  - id: main
    url: tcp://127.0.0.1:${modbusPort}
    timeout: 200ms
    meters:
      - {id: line-1, name: {vi: Dây chuyền 1, en: Line 1}, unit: 1, model: eastron-sdm630, carrier: electricity, role: use, every: 1s, rated_power_W: 400000}
      - {id: weak, name: {vi: Nguồn yếu, en: Weak supply}, unit: 2, model: eastron-sdm630, carrier: electricity, role: use, every: 1s}
      - {id: mute, name: {vi: Máy nén khí, en: Compressor}, unit: ${SILENT_UNIT}, model: eastron-sdm630, carrier: electricity, role: use, every: 1s}
uplink: {url: "mqtt://127.0.0.1:1", host_id: zone-collector, delivery: required}
listen: 127.0.0.1:0
`;
}

interface Opened {
  readonly page: Page;
  /** What the page complained of, and every request that left for another host. */
  readonly complaints: string[];
}

async function open({ lang = "vi", theme = "light", width = 1366 } = {}): Promise<Opened> {
  const context = await browser.newContext({ viewport: { width, height: 800 }, timezoneId: "America/New_York" });
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
    const { origin } = new URL(request.url());
    if (origin !== `http://127.0.0.1:${agent.port}`) complaints.push(`asked ${origin}`);
  });
  await page.goto(`http://127.0.0.1:${agent.port}/`);
  await page.getByRole("heading", { level: 1, name: "gw-01" }).waitFor();
  return { page, complaints };
}

async function shoot(page: Page, name: string): Promise<void> {
  if (shots === undefined) return;
  mkdirSync(shots, { recursive: true });
  await page.screenshot({ path: join(shots, `gateway-${name}.png`), fullPage: true });
}

const modbus = () => ({ kind: "tcp", host: "127.0.0.1", port: sim.lines[0]!.port }) as const;

describe.skipIf(skip !== null)("the installer's page", { timeout: 60_000 }, () => {
  beforeAll(async () => {
    const models = loadModelLibrary();
    const load = { shape: "continuous", peak_W: 180_000 } as const;
    sim = await startSim(
      {
        seed: 7,
        time_zone: "Asia/Ho_Chi_Minh",
        lines: [
          {
            listen: { kind: "tcp", host: "127.0.0.1", port: 0 },
            meters: [
              { unit: 1, model: "eastron-sdm630", name: "line-1", load },
              { unit: 2, model: "eastron-sdm630", name: "weak", load, nominal_V: 170 },
              { unit: SILENT_UNIT, model: "eastron-sdm630", name: "mute", load },
            ],
          },
        ],
        faults: [
          {
            id: "mute",
            on: { line: 0, unit: SILENT_UNIT, connection: null },
            what: { kind: "silent" },
            from: { kind: "unsaid" },
            for_ms: null,
            every_ms: null,
            probability: 1,
          },
        ],
      },
      {
        models,
        clock: systemClock,
        readProfile,
        timers: systemTimers,
      },
    );
    agent = await startAgentOf(agentYaml(modbus().port), { look: readLook });
    agent.gateway.start();
    browser = await launchChromium();
  });

  afterAll(async () => {
    await browser?.close();
    await agent?.stop();
    await sim?.close();
    dir.remove();
  });

  test("shows in Vietnamese what answers, what does not and since when, and what a value should be", async () => {
    const { page, complaints } = await open();
    const good = page.getByRole("article", { name: "Dây chuyền 1" });
    await good.getByText("đang trả lời").waitFor();
    const voltage = good.getByRole("listitem").filter({ hasText: "Điện áp pha 1" });
    await voltage.getByText("mong đợi 198…253").waitFor();
    expect(await voltage.textContent()).toMatch(/2[0-4]\d,\d V/);
    await good.getByText("Điện năng nhận").waitFor();

    const weak = page.getByRole("article", { name: "Nguồn yếu" });
    await weak.getByText(/Điện áp pha 1, .*: Thấp hơn 198 V/).waitFor();
    expect(await weak.locator('.value[data-level="bad"]').count()).toBeGreaterThanOrEqual(3);

    const mute = page.getByRole("article", { name: "Máy nén khí" });
    await mute.getByText(/không trả lời từ khi agent chạy, (hỏi lại sau \d+ s|đang hỏi lại)/).waitFor();
    await mute.getByText(/hết giờ chờ mà không có trả lời: kiểm tra nguồn, dây, số unit/).waitFor();
    await page.getByText(/Chưa nối được broker; số đọc được giữ tại đây/).waitFor();
    await shoot(page, "agent-vi-light");
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  test("says the same in English, on a phone, in the dark, without scrolling sideways", async () => {
    const { page, complaints } = await open({ lang: "en", theme: "dark", width: 390 });
    await page
      .getByRole("article", { name: "Compressor" })
      .getByText(/not answering since the agent started/)
      .waitFor();
    await page
      .getByRole("article", { name: "Weak supply" })
      .getByText(/Voltage L1, .*: Below 198 V/)
      .waitFor();
    await page.getByText(/No broker yet; readings are kept here/).waitFor();
    expect(await page.locator("html").getAttribute("data-theme")).toBe("dark");
    expect(await page.evaluate<boolean>("document.documentElement.scrollWidth <= innerWidth")).toBe(true);
    expect(await page.evaluate<boolean>("document.fonts.check('16px \"Be Vietnam Pro\"')")).toBe(true);
    await shoot(page, "agent-phone-en-dark");
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  test("switches language and theme at once", async () => {
    const { page, complaints } = await open();
    await page.getByRole("button", { name: "EN" }).click();
    await page.getByText("Meters answering").waitFor();
    await page.getByRole("button", { name: "Dark" }).click();
    expect(await page.locator("html").getAttribute("data-theme")).toBe("dark");
    expect(await page.locator("html").getAttribute("lang")).toBe("en");
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  test("shows the raw frames of a bus while it is asked to, silences included", async () => {
    const { page, complaints } = await open({ lang: "en" });
    await page.getByRole("button", { name: "Raw frames" }).click();
    await page.locator('.frames tr[data-result="words"] code').nth(1).waitFor();
    expect(await page.locator('.frames tr[data-result="words"] td:last-child').first().textContent()).toMatch(
      /^[0-9A-F]{4}( [0-9A-F]{4})*$/,
    );
    await page.locator('.frames tr[data-result="timeout"]').first().waitFor();
    await shoot(page, "agent-frames-en-light");
    await page.getByRole("button", { name: "Raw frames" }).click();
    await page.locator(".frames").waitFor({ state: "detached" });
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  test("another program reads the bus through the agent, between its polls", async () => {
    const bus = await openOwnedBus(modbus());
    expect(bus.through).toBe("gw-01");
    const polls = agent.status().counts.polls;
    for (let i = 0; i < 25; i++) {
      const reply = await bus.read({ unit: 1, fc: 4, address: 0, count: 2, timeout_ms: 500 });
      expect(reply.kind).toBe("words");
    }
    expect(agent.status().counts.polls).toBeGreaterThan(polls);
    await bus.close();
  });

  test("says that the agent is gone, and since when", async () => {
    const { page } = await open();
    await page.getByText("trực tiếp").waitFor();
    await agent.stop();
    await page
      .getByRole("status")
      .getByText(/Agent không trả lời từ \d\d:\d\d:\d\d/)
      .waitFor();
    await page.getByText("mất kết nối").waitFor();
    await shoot(page, "agent-lost-vi-light");
    expect((await openOwnedBus(modbus())).through).toBeNull();
    await page.context().close();
  });
});

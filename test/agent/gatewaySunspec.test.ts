import { expect, onTestFinished, test } from "vitest";
import { Gateway } from "../../agent/gateway.ts";
import { busFacts } from "../../agent/local/facts.ts";
import { gatewayView } from "../../agent/local/view.ts";
import type { LiveDevice } from "../../agent/uplink/edgeNode.ts";
import { agentSpec } from "../../config/files/agent.ts";
import { loadModelLibrary, resolveModel } from "../../config/models.ts";
import { parseConfig } from "../../config/parse.ts";
import type { BusRead, BusReply } from "../../core/ports.ts";
import { local } from "../hw-sim/fixture.ts";
import { recordingLog } from "../recordingLog.ts";
import { disk } from "./journal/fixture.ts";
import { virtualTime } from "./virtualTime.ts";

const START_MS = local("2026-03-02T10:00");
const MINUTE_MS = 60_000;
const library = loadModelLibrary();

interface Block {
  readonly id: number;
  readonly length: number;
}
const COMMON: Block = { id: 1, length: 66 };
const INVERTER: Block = { id: 103, length: 50 };
const SHORT: Block = { id: 103, length: 20 };
const STRINGS: Block = { id: 160, length: 48 };
const INVERTER_AT = 40_070;
const STRINGS_AT = 40_122;

/** Registers of a chain by hand: ids and lengths, two strings, an energy of 1000 Wh; all else is 1. */
function image(blocks: readonly Block[]): ReadonlyMap<number, number> {
  const at = new Map<number, number>([
    [40_000, 0x5375],
    [40_001, 0x6e53],
  ]);
  let address = 40_002;
  for (const { id, length } of blocks) {
    for (let i = 0; i < length + 2; i++) at.set(address + i, [id, length][i] ?? 1);
    if (id === 160) at.set(address + 8, 2);
    address += length + 2;
  }
  at.set(address, 0xffff).set(address + 1, 0);
  return at.set(INVERTER_AT + 24, 0).set(INVERTER_AT + 25, 1000);
}

const CONFIG = (dir: string, carrier: string) => `
zone: z
site: s
gateway: gw
data_dir: ${dir}
buses:
  - {id: roof, url: "tcp://127.0.0.1:1", meters: [{id: pv, unit: 1, model: sunspec-inverter-101-103, carrier: ${carrier}, role: generation, every: 1s}]}
  - {id: hall, url: "tcp://127.0.0.1:2", meters: [{id: good, unit: 1, model: eastron-sdm630, carrier: electricity, role: import, every: 1s}]}
uplink: {url: "mqtt://127.0.0.1:1"}
`;

/** A gateway in virtual time with a SunSpec inverter on one bus and an ordinary meter on another. */
function stage(carrier = "solar") {
  const d = disk();
  const { scheduler, timers, wait, close } = virtualTime();
  const clock = { now_ms: () => START_MS + scheduler.now_ms, mono_ms: () => scheduler.now_ms };
  const config = parseConfig(
    CONFIG(d.dir, carrier),
    agentSpec({ ids: [...library.keys()], find: (id) => library.get(id) }),
    "agent.yaml",
  );
  const pv = { image: image([COMMON, INVERTER, STRINGS]), isLost: (_: BusRead): boolean => false };
  const asked: BusRead[] = [];
  const readPv = async (request: BusRead): Promise<BusReply> => {
    asked.push(request);
    await wait(20);
    if (pv.isLost(request)) return { kind: "timeout" };
    const words = Array.from({ length: request.count }, (_, i) => pv.image.get(request.address + i));
    return words.includes(undefined)
      ? { kind: "exception", code: 2 }
      : { kind: "words", words: Uint16Array.from(words as number[]) };
  };
  const readGood = async ({ count }: BusRead): Promise<BusReply> => {
    await wait(20);
    return { kind: "words", words: new Uint16Array(count) };
  };
  const log = recordingLog();
  const told: LiveDevice[] = [];
  const journal = d.open({ now_ms: clock.now_ms });
  const gateway = new Gateway({
    config,
    resolveModel,
    factors: [],
    openBus: ({ id }) => ({ read: id === "roof" ? readPv : readGood, close }),
    journal,
    clock,
    timers,
    log,
    onCommitted: () => {},
    onDevice: (device) => told.push(device),
  });
  const pvView = () =>
    gatewayView({
      gateway: "gw",
      site: "s",
      zone: "z",
      version: "0",
      pid: 1,
      now_ms: clock.now_ms(),
      timeZone: config.time_zone,
      uplink: { state: "born", url: "", inFlight_bytes: 0, window_bytes: 0, sent: 0, resent: 0 } as never,
      journal: journal.status(),
      buses: busFacts(config, gateway.busStatus(), gateway.devices(), () => new Map()),
    }).buses[0]!.meters[0]!;
  const status = (device: string) =>
    gateway
      .busStatus()
      .flatMap(({ meters }) => meters)
      .find((meter) => meter.device === device)!;
  gateway.start();
  onTestFinished(() => gateway.stop());
  return {
    gateway,
    pv,
    asked,
    log,
    told,
    status,
    pvView,
    run: (length_ms: number) => scheduler.run(scheduler.now_ms + length_ms),
  };
}

const quantitiesOf = ({ gateway }: ReturnType<typeof stage>) =>
  gateway.devices().find(({ definition }) => definition.device === "pv")?.last ?? new Map();

test("an inverter that lacks what it is booked by is not usable and says why; its neighbours go on, and it is looked for again", async () => {
  const s = stage();
  s.pv.image = image([COMMON, SHORT]);
  await s.run(10 * MINUTE_MS);
  expect(s.status("good").isAnswering).toBe(true);
  expect(s.status("pv")).toMatchObject({
    isAnswering: false,
    lastError: { words: expect.stringMatching(/^it cannot be used: .*has no active_energy_export_total/) },
  });
  expect(s.status("pv").backoffUntil_ms).toBeGreaterThan(START_MS + 10 * MINUTE_MS);
  const { state, lastError } = s.pvView();
  expect(state).toMatchObject({ level: "bad", text: { en: expect.stringContaining("not usable") } });
  expect(lastError?.text.vi).toContain("không dùng được");
  // At once, then after 1, 2, 4 minutes.
  expect(s.asked.filter(({ address }) => address === 40_000)).toHaveLength(4);
  s.pv.image = image([COMMON, INVERTER]);
  await s.run(10 * MINUTE_MS);
  expect(s.status("pv").isAnswering).toBe(true);
});

test("strings whose place was lost on the way are found a minute later, and what is counted goes on", async () => {
  const s = stage();
  s.pv.isLost = ({ address, count }) => address === STRINGS_AT && count === 2;
  await s.run(30_000);
  expect(s.status("pv").isAnswering).toBe(true);
  expect(quantitiesOf(s).has("dc_power_input_1")).toBe(false);
  expect(s.log.events.map(({ event }) => event)).toContain("meter.map-unfinished");
  s.pv.isLost = () => false;
  const before = s.gateway.counts.intervals;
  await s.run(2 * MINUTE_MS);
  expect([...quantitiesOf(s).keys()]).toEqual(expect.arrayContaining(["dc_power_input_1", "dc_power_input_2"]));
  expect(s.told.at(-1)?.definition.registers.some(({ register }) => register.name === "dc_power_input_2")).toBe(true);
  // The quarter of an hour that began before is closed once, and the chain is walked no more.
  const walks = s.asked.filter(({ address }) => address === 40_000).length;
  await s.run(60 * MINUTE_MS);
  expect(s.gateway.counts.intervals - before).toBeGreaterThanOrEqual(3);
  expect(s.asked.filter(({ address }) => address === 40_000)).toHaveLength(walks);
});

test("a carrier that the model cannot book is refused at the start, not when the device answers", () => {
  expect(() => stage("electricity")).toThrow(/has no active_energy_import_total/);
});

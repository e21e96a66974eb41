import { type AddressInfo, createServer, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { Gateway } from "../../agent/gateway.ts";
import { openJournal } from "../../agent/journal/journal.ts";
import { sqliteDisk } from "../../agent/journal/sqliteDisk.ts";
import { systemClock, systemRandom, systemTimers } from "../../cli/io/system.ts";
import { agentSpec } from "../../config/files/agent.ts";
import { loadModelLibrary, resolveModel } from "../../config/models.ts";
import { parseConfig } from "../../config/parse.ts";
import { openBus } from "../../drivers/modbus/client.ts";
import { answerPdu } from "../../hw-sim/bus/answer.ts";
import { mbapFrame, type Request, splitRequests } from "../../hw-sim/bus/mbap.ts";
import { recordingLog, tempDir, until } from "./harness.ts";

/**
 * Twenty units behind one real TCP address, as a gateway to a serial line: one request after another. One is silent, one takes
 * 900 ms, one throws exceptions, one garbles. The configuration lists the address as two buses.
 */
const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

const SILENT = 17;
const SLOW = 18;
const THROWING = 19;
const GARBLING = 20;
/** A register that the units refuse, once told to. */
const VOLTAGE_L1 = 3027;

async function twentyUnits() {
  const sockets = new Set<Socket>();
  const requests: number[] = [];
  let connections = 0;
  let refused: number | null = null;
  const cancels = new Set<() => void>();

  const answer = (socket: Socket, request: Request): void => {
    const [fc = 0, a = 0, b = 0, c = 0, d = 0] = request.pdu;
    const address = a * 256 + b;
    const count = c * 256 + d;
    requests.push(request.unit);
    const good = mbapFrame(request, answerPdu(fc, new Uint16Array(count)));
    if (request.unit === SILENT) return;
    if (request.unit === SLOW) {
      const cancel = systemTimers.after(900, () => {
        cancels.delete(cancel);
        socket.write(good);
      });
      cancels.add(cancel);
      return;
    }
    if (request.unit === THROWING) socket.write(mbapFrame(request, answerPdu(fc, { exception: 4 })));
    else if (request.unit === GARBLING) socket.write(good.map((byte, i) => (i === 7 ? byte ^ 0x55 : byte)));
    else if (refused !== null && address <= refused && refused < address + count) {
      socket.write(mbapFrame(request, answerPdu(fc, { exception: 2 })));
    } else socket.write(good);
  };

  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    connections += 1;
    let pending: Uint8Array = new Uint8Array(0);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => sockets.delete(socket));
    socket.on("data", (chunk: Uint8Array) => {
      const split = splitRequests(Buffer.concat([pending, chunk]));
      if (split.kind === "broken") throw new Error("the agent sent no Modbus TCP");
      pending = Uint8Array.from(split.rest);
      for (const request of split.requests) answer(socket, request);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanups.push(
    () =>
      new Promise<void>((resolve) => {
        for (const cancel of cancels) cancel();
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  );
  return {
    port: (server.address() as AddressInfo).port,
    requestsOf: (unit: number) => requests.filter((one) => one === unit).length,
    connections: () => connections,
    refuse: (address: number) => {
      refused = address;
    },
  };
}

function gatewayOn(dir: string, port: number) {
  const meter = (unit: number) =>
    `{id: m${unit}, unit: ${unit}, model: schneider-pm5000, carrier: electricity, role: use, every: 1s}`;
  const meters = (from: number, to: number) =>
    Array.from({ length: to - from + 1 }, (_, i) => meter(from + i)).join(", ");
  const library = loadModelLibrary();
  const spec = agentSpec({ ids: [...library.keys()], find: (id) => library.get(id) });
  const config = parseConfig(
    `
zone: kcn-test
site: factory
gateway: gw-01
data_dir: ${dir}
buses:
  - {id: first, url: "tcp://127.0.0.1:${port}", timeout: 1s, meters: [${meters(1, 10)}]}
  - {id: second, url: "tcp://127.0.0.1:${port}", timeout: 1s, meters: [${meters(11, 20)}]}
uplink: {url: "mqtt://127.0.0.1:1"}
`,
    spec,
    "agent.yaml",
  );
  const log = recordingLog();
  const journal = openJournal({
    disk: sqliteDisk(`${dir}/journal`),
    maxBytes: 1 << 30,
    maxAge_ms: 1e12,
    now_ms: systemClock.now_ms,
    random: systemRandom,
    log,
  });
  const gateway = new Gateway({
    config,
    resolveModel,
    factors: [],
    openBus: (bus) => openBus(bus.url),
    journal,
    clock: systemClock,
    timers: systemTimers,
    log,
    onCommitted: () => {},
    onDevice: () => {},
  });
  let isOpen = true;
  const stop = async () => {
    if (!isOpen) return;
    isOpen = false;
    await gateway.stop();
    journal.close();
  };
  cleanups.push(stop);
  const meterOf = (unit: number) => gateway.busStatus()[0]!.meters.find((one) => one.unit === unit)!;
  return { gateway, journal, log, stop, meterOf };
}

test("sixteen good units of twenty keep answering beside a silent, a slow, a throwing and a garbling one", async () => {
  const dir = tempDir();
  cleanups.push(dir.remove);
  const units = await twentyUnits();
  const { gateway, log, meterOf } = gatewayOn(dir.path, units.port);
  const good = Array.from({ length: 16 }, (_, i) => i + 1);
  gateway.start();
  await until("the good units were asked forty times and the bad ones are known", () => {
    return (
      good.every((unit) => units.requestsOf(unit) >= 40) && units.requestsOf(SILENT) >= 2 && meterOf(SLOW).isAnswering
    );
  });

  const status = gateway.busStatus();
  expect(status).toHaveLength(1);
  expect(status[0]).toMatchObject({ id: "first", sharedWith: ["second"], url: `tcp://127.0.0.1:${units.port}` });
  // One connection for all; a new one only after a reply that was lost or broken.
  expect(units.connections()).toBeLessThanOrEqual(1 + units.requestsOf(SILENT) + units.requestsOf(GARBLING));
  for (const unit of good) expect(meterOf(unit)).toMatchObject({ isAnswering: true, lastError: null });
  expect(meterOf(SLOW).isAnswering).toBe(true);
  for (const unit of [SILENT, THROWING, GARBLING]) expect(meterOf(unit).isAnswering).toBe(false);
  expect(meterOf(SILENT).lastError?.words).toMatch(/^no answer within 1000 ms/);
  expect(meterOf(THROWING).lastError?.words).toMatch(/^exception 4 \(device failure\)/);
  expect(meterOf(GARBLING).lastError?.words).toMatch(/^(garbled reply|no answer)/);
  // Everybody was polled as often as everybody else, to within what was under way.
  const asked = good.map(units.requestsOf);
  expect(Math.max(...asked) - Math.min(...asked)).toBeLessThanOrEqual(Math.ceil(Math.max(...asked) * 0.1) + 3);
  expect(units.requestsOf(SILENT)).toBeLessThan(8);
  expect(gateway.counts.polls).toBeGreaterThan(16 * 5);
  expect(gateway.counts.busOverruns).toBe(status[0]!.overruns);
  expect(log.events.filter(({ event }) => event === "meter.silent").length).toBeLessThanOrEqual(3);
});

test("a register the units refuse is set aside, and a restart does not ask for it in a block again", async () => {
  const dir = tempDir();
  cleanups.push(dir.remove);
  const units = await twentyUnits();
  units.refuse(VOLTAGE_L1);
  const first = gatewayOn(dir.path, units.port);
  const aside = (gateway: typeof first) => gateway.meterOf(1).blocks.filter(({ state }) => state === "set-aside");
  first.gateway.start();
  await until("the culprit is found and recorded", () => {
    return aside(first).length === 1 && first.journal.getState("learned:m1") !== null;
  });
  expect(aside(first)[0]).toMatchObject({ address: VOLTAGE_L1, why: "exception 2 (illegal data address)" });
  const learned = aside(first);
  await first.stop();

  const second = gatewayOn(dir.path, units.port);
  expect(aside(second)).toEqual(learned);
  second.gateway.start();
  await until("the unit answers again", () => second.meterOf(1).isAnswering);
  expect(second.meterOf(1).lastError).toBeNull();
  expect(second.log.events.filter(({ event }) => event === "meter.register-set-aside")).toEqual([]);
});

import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, expect, test } from "vitest";
import { systemClock, systemTimers } from "../../cli/io/system.ts";
import type { FaultSpec } from "../../hw-sim/faults/catalogue.ts";
import { type RunningSim, startSim } from "../../hw-sim/sim.ts";
import type { SimListen } from "../../hw-sim/simConfig.ts";
import { rtuFrame } from "../drivers/modbus/servers.ts";
import { isRequired, pathOf, type Service } from "../services.ts";
import { rawClient } from "./bus/rawClient.ts";
import { clockAt, local, MODELS } from "./fixture.ts";

/**
 * Programs that are not ours look at simulated meters: mbpoll (libmodbus) reads them, tshark decodes their frames. What they
 * must see is in the models' documents: SDM630 voltages from input register 0, frequency at 70, import kWh at 72; PM5000
 * frequency at holding register 3110 (counted from 1), import Wh as a 64-bit integer at 3204.
 */
const run = promisify(execFile);
const AT_ms = local("2026-03-02T10:00");
const LOAD = { shape: "continuous", peak_W: 400_000 } as const;

const missing = (...services: Service[]) => {
  const first = services.find((service) => pathOf(service) === null);
  return first === undefined || isRequired ? "" : `skipped: needs ${first}`;
};

const opened: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const thing of opened.splice(0).reverse()) await thing.close();
});

function tempFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "khuxanh-independent-"));
  opened.push({ close: async () => rmSync(folder, { recursive: true }) });
  return folder;
}

async function simOn(listen: SimListen, faults: readonly FaultSpec[] = []): Promise<RunningSim> {
  const meters = [
    { unit: 1, model: "eastron-sdm630", load: LOAD },
    { unit: 5, model: "schneider-pm5000", load: LOAD, start: 1000 },
  ];
  // Registers stand at one instant; the line itself runs in real time.
  const sim = await startSim(
    { seed: 1, time_zone: "Asia/Ho_Chi_Minh", faults, lines: [{ listen, meters }] },
    {
      models: MODELS,
      clock: { ...clockAt(AT_ms), mono_ms: systemClock.mono_ms },
      timers: systemTimers,
      readProfile: async () => "",
    },
  );
  opened.push(sim);
  return sim;
}

/** Values by reference, counted from 1, as mbpoll prints them: `[3110]: <tab>50.01`. */
async function mbpoll(...args: readonly string[]): Promise<ReadonlyMap<number, number>> {
  const { stdout } = await run(pathOf("mbpoll")!, ["-1", "-o", "5", ...args]);
  return new Map(
    [...stdout.matchAll(/^\[(\d+)\]:\s+(-?[\d.]+(?:e[+-]?\d+)?)/gm)].map(
      ([, at, value]) => [Number(at), Number(value)] as const,
    ),
  );
}

async function assertValues(sim: RunningSim, where: readonly string[]): Promise<void> {
  const [sdm630, pm5000] = sim.meters;
  const volts = await mbpoll(
    ...where.slice(0, -1),
    "-a",
    "1",
    "-t",
    "3:float",
    "-B",
    "-r",
    "1",
    "-c",
    "3",
    where.at(-1)!,
  );
  const { voltage_l1, voltage_l2, voltage_l3, frequency } = sdm630!.gauges(AT_ms) as Record<string, number>;
  expect([...volts.keys()]).toEqual([1, 3, 5]);
  expect(volts.get(1)).toBeCloseTo(voltage_l1!, 2);
  expect(volts.get(3)).toBeCloseTo(voltage_l2!, 2);
  expect(volts.get(5)).toBeCloseTo(voltage_l3!, 2);
  expect(voltage_l1).toBeGreaterThan(220);

  const rest = await mbpoll(
    ...where.slice(0, -1),
    "-a",
    "1",
    "-t",
    "3:float",
    "-B",
    "-r",
    "71",
    "-c",
    "2",
    where.at(-1)!,
  );
  expect(rest.get(71)).toBeCloseTo(frequency!, 2);
  const counted_kWh = Number(sdm630!.truth(AT_ms).active_energy_import_total!.value) / 1000;
  expect(rest.get(73)! / counted_kWh).toBeCloseTo(1, 5);

  const hertz = await mbpoll(
    ...where.slice(0, -1),
    "-a",
    "5",
    "-t",
    "4:float",
    "-B",
    "-r",
    "3110",
    "-c",
    "1",
    where.at(-1)!,
  );
  expect(hertz.get(3110)).toBeCloseTo((pm5000!.gauges(AT_ms) as Record<string, number>).frequency!, 2);
  const words = await mbpoll(...where.slice(0, -1), "-a", "5", "-t", "4", "-r", "3204", "-c", "4", where.at(-1)!);
  const wh = [3204, 3205, 3206, 3207].reduce((sum, at) => sum * 65_536n + BigInt(words.get(at)! & 0xffff), 0n);
  expect(wh).toBe(pm5000!.ticks("active_energy_import_total", AT_ms) / 3_600_000n);
}

const noMbpoll = missing("mbpoll");

test.skipIf(noMbpoll !== "")(`mbpoll reads the documented values over Modbus TCP ${noMbpoll}`, async () => {
  const sim = await simOn({ kind: "tcp", host: "127.0.0.1", port: 0 });
  await assertValues(sim, ["-m", "tcp", "-p", String(sim.lines[0]!.port), "127.0.0.1"]);
});

const noSerial = missing("mbpoll", "socat");

test.skipIf(noSerial !== "")(`mbpoll reads them on a serial line of 19200 baud, even parity ${noSerial}`, async () => {
  const path = join(tempFolder(), "line");
  const sim = await simOn({ kind: "rtu", path, baud: 19_200, parity: "even", stop_bits: 1 });
  await assertValues(sim, ["-m", "rtu", "-b", "19200", "-P", "even", path]);
});

test.skipIf(noMbpoll !== "")(`mbpoll sees exceptions and silence as what they are ${noMbpoll}`, async () => {
  const fault = (unit: number, what: FaultSpec["what"]): FaultSpec => ({
    ...{ id: null, on: { line: 0, unit, connection: null }, what, from: { kind: "unsaid" } },
    ...{ for_ms: null, every_ms: null, probability: 1 },
  });
  const sim = await simOn({ kind: "tcp", host: "127.0.0.1", port: 0 }, [
    fault(1, { kind: "exception", code: 6 }),
    fault(5, { kind: "silent" }),
  ]);
  const port = String(sim.lines[0]!.port);
  const poll = (unit: string) =>
    run(pathOf("mbpoll")!, [
      "-1",
      "-o",
      "0.5",
      "-m",
      "tcp",
      "-p",
      port,
      "-a",
      unit,
      "-t",
      "3",
      "-r",
      "1",
      "127.0.0.1",
    ]).then(
      () => "",
      ({ stdout, stderr }) => `${stdout}${stderr}`,
    );
  expect(await poll("1")).toMatch(/busy/i);
  expect(await poll("5")).toMatch(/timed out/i);
  expect(await poll("9")).toMatch(/target device failed to respond/i);
});

const noTshark = missing("tshark", "text2pcap");
const FIELDS = [
  "modbus.func_code",
  "modbus.exception_code",
  "modbus.regval_uint16",
  "_ws.malformed",
  "_ws.expert.message",
];

/** What tshark makes of requests and answers, packet by packet: its fields, and nothing else. */
async function decoded(
  exchanges: readonly { readonly request: readonly number[]; readonly answer: readonly number[] }[],
  as: "mbtcp" | "mbrtu",
): Promise<readonly (readonly string[])[]> {
  const folder = tempFolder();
  const packet = (direction: string, bytes: readonly number[]) =>
    `${direction}\n000000 ${bytes.map((byte) => byte.toString(16).padStart(2, "0")).join(" ")}\n`;
  const text = exchanges.map(({ request, answer }) => packet("I", request) + packet("O", answer)).join("");
  writeFileSync(join(folder, "bytes.txt"), text);
  const pcap = join(folder, "bytes.pcap");
  const ends = ["-D", "-4", "127.0.0.2,127.0.0.1", "-T", "50000,502"];
  await run(pathOf("text2pcap")!, [...ends, join(folder, "bytes.txt"), pcap]);
  const { stdout } = await run(pathOf("tshark")!, [
    ...["-r", pcap, "-d", `tcp.port==502,${as}`, "-o", "mbrtu.crc_verification:TRUE", "-T", "fields"],
    ...["tcp.dstport", `${as}.unit_id`, ...FIELDS].flatMap((field) => ["-e", field]),
  ]);
  return stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => line.split("\t"));
}

test.skipIf(noTshark !== "").each(["tcp", "rtu+tcp"] as const)(
  `tshark decodes our %s frames without a complaint ${noTshark}`,
  async (kind) => {
    const sim = await simOn({ kind, host: "127.0.0.1", port: 0 });
    const client = await rawClient(sim.lines[0]!.port);
    opened.push({ close: () => client.end() });
    const framed = (i: number, unit: number, pdu: readonly number[]) =>
      kind === "tcp" ? [0, i, 0, 0, 0, pdu.length + 1, unit, ...pdu] : [...rtuFrame([unit, ...pdu])];
    const around = kind === "tcp" ? 7 : 3;
    const asked = [
      { unit: 1, pdu: [4, 0, 0, 0, 6], answers: 14 },
      { unit: 5, pdu: [3, 12, 131, 0, 4], answers: 10 },
      { unit: 1, pdu: [4, 80, 0, 0, 2], answers: 2 },
      { unit: 1, pdu: [3, 0, 0, 0, 126], answers: 2 },
    ];
    const exchanges: { request: number[]; answer: number[] }[] = [];
    for (const [i, { unit, pdu, answers }] of asked.entries()) {
      const request = framed(i, unit, pdu);
      client.send(...request);
      exchanges.push({ request, answer: await client.take(answers + around) });
    }
    const as = kind === "tcp" ? "mbtcp" : "mbrtu";
    const words = (unit: number, code: 3 | 4, address: number, count: number) =>
      [...(sim.meters.find((meter) => meter.unit === unit)!.read(code, address, count, AT_ms) as Uint16Array)].join(
        ",",
      );
    const answers = (await decoded(exchanges, as)).filter(([to]) => to === "50000").map(([, ...fields]) => fields);
    expect(answers).toEqual([
      ["1", "4", "", words(1, 4, 0, 6), "", ""],
      ["5", "3", "", words(5, 3, 3203, 4), "", ""],
      ["1", "4", "2", "", "", ""],
      ["1", "3", "3", "", "", ""],
    ]);
    const requests = (await decoded(exchanges, as)).filter(([to]) => to === "502");
    expect(requests.map((fields) => fields.slice(-2))).toEqual(asked.map(() => ["", ""]));
  },
);

test.skipIf(noTshark !== "")(`tshark does complain of a CRC that a fault broke ${noTshark}`, async () => {
  const what = { kind: "crc-error" } as const;
  const sim = await simOn({ kind: "rtu+tcp", host: "127.0.0.1", port: 0 }, [
    {
      ...{ id: null, on: { line: 0, unit: null, connection: null }, what, from: { kind: "unsaid" } },
      ...{ for_ms: null, every_ms: null, probability: 1 },
    },
  ]);
  const client = await rawClient(sim.lines[0]!.port);
  opened.push({ close: () => client.end() });
  const request = [...rtuFrame([1, 4, 0, 0, 0, 2])];
  client.send(...request);
  const answer = await client.take(9);
  const last = (await decoded([{ request, answer }], "mbrtu")).at(-1)!;
  expect(last.at(-1)).toMatch(/CRC/i);
});

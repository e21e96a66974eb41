import { afterEach, expect, test } from "vitest";
import { parseFault } from "../../config/files/simFaults.ts";
import { KhuXanhError } from "../../core/errors.ts";
import { openBus } from "../../drivers/modbus/client.ts";
import { controlAnswer } from "../../hw-sim/control/control.ts";
import { serveControl } from "../../hw-sim/control/server.ts";
import { FAULTS } from "../../hw-sim/faults/catalogue.ts";
import type { FaultLine } from "../../hw-sim/faults/faultRunner.ts";
import { type RunningSim, startSim } from "../../hw-sim/sim.ts";
import type { SimConfig } from "../../hw-sim/simConfig.ts";
import { faultOf, request, shown } from "../contract/bus.ts";
import { local, MODELS } from "./fixture.ts";
import { type VirtualTime, virtualTime } from "./virtualTime.ts";

const START_ms = local("2026-03-02T10:00");
const LOAD = { shape: "continuous", peak_W: 400_000 } as const;

const opened: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const thing of opened.splice(0).reverse()) await thing.close();
});

interface Running {
  readonly sim: RunningSim;
  readonly time: VirtualTime;
  readonly told: FaultLine[];
  readonly ask: (method: string, path: string, body?: unknown) => Promise<{ status: number; document: unknown }>;
}

async function running(faults: SimConfig["faults"] = []): Promise<Running> {
  const time = virtualTime(START_ms);
  const told: FaultLine[] = [];
  const sim = await startSim(
    {
      seed: 1,
      time_zone: "Asia/Ho_Chi_Minh",
      faults,
      lines: [
        {
          listen: { kind: "tcp", host: "127.0.0.1", port: 0 },
          meters: [
            { unit: 1, model: "schneider-pm5000", load: LOAD },
            { unit: 2, model: "eastron-sdm630", load: LOAD },
          ],
        },
      ],
    },
    {
      ...{ models: MODELS, clock: time.clock, timers: time.timers },
      readProfile: async () => "",
      onFault: (line) => told.push(line),
    },
  );
  opened.push(sim);
  const parts = { sim, clock: time.clock, parseFault };
  const ask = (method: string, path: string, body?: unknown) =>
    controlAnswer(parts, { method, path, body: typeof body === "string" ? body : JSON.stringify(body ?? "") });
  return { sim, time, told, ask };
}

const read = (sim: RunningSim) => {
  const bus = openBus({ kind: "tcp", host: "127.0.0.1", port: sim.lines[0]!.port });
  opened.push(bus);
  const place = (unit: number) => (unit === 1 ? ({ fc: 3, address: 3109 } as const) : ({ fc: 4, address: 0 } as const));
  return async (unit: number, timeout_ms = 10_000) =>
    shown(await bus.read({ ...request(unit, timeout_ms), ...place(unit), count: 2 }));
};

/** The voltage of the second meter, as one connection sees it. */
const words = (sim: RunningSim) => {
  const bus = openBus({ kind: "tcp", host: "127.0.0.1", port: sim.lines[0]!.port });
  opened.push(bus);
  return async () => {
    const reply = await bus.read({ ...request(2, 10_000), fc: 4, address: 0, count: 2 });
    if (reply.kind !== "words") throw new Error(reply.kind);
    return reply.words;
  };
};

test("a fault that is posted takes effect, is listed, and ends when it is deleted; both are told", async () => {
  const { sim, told, time, ask } = await running();
  const ask1 = read(sim);
  expect(await ask1(1)).toBe("words");
  const posted = await ask("POST", "/faults", { kind: "silent", on: { line: 0, unit: 1 } });
  expect(posted).toMatchObject({
    status: 201,
    headers: { location: "/faults/f1" },
    document: { id: "f1", active: true },
  });
  expect(await ask1(1, 100)).toBe("timeout");
  expect(await ask1(2)).toBe("words");
  expect((await ask("GET", "/faults")).document).toMatchObject({
    faults: [{ id: "f1", kind: "silent", on: { line: 0, unit: 1 } }],
  });
  await time.pass(5000);
  expect(await ask("DELETE", "/faults/f1")).toMatchObject({ status: 200, document: { active: false } });
  expect(await ask1(1)).toBe("words");
  expect((await ask("GET", "/faults")).document).toEqual({ faults: [] });
  expect(told.map(({ at, fault }) => [Date.parse(at) - START_ms, fault.state, fault.kind])).toEqual([
    [0, "begin", "silent"],
    [5000, "end", "silent"],
  ]);
});

test("a schedule is followed: each beginning and end is told with its own instant, also when the clock stands later", async () => {
  const when = { from: { kind: "after", after_ms: 1000 }, every_ms: 10_000, for_ms: 2000 } as const;
  const { told, time } = await running([faultOf({ kind: "silent" }, 2, when)]);
  await time.pass(13_500);
  expect(told.map(({ at, fault }) => [Date.parse(at) - START_ms, fault.state])).toEqual([
    [1000, "begin"],
    [3000, "end"],
    [11_000, "begin"],
    [13_000, "end"],
  ]);
});

test("a port that is refused is closed, and opens again on the same number", async () => {
  const when = { from: { kind: "after", after_ms: 1000 }, for_ms: 5000 } as const;
  const { sim, time } = await running([faultOf({ kind: "refused" }, null, when)]);
  const ask1 = read(sim);
  expect(await ask1(1)).toBe("words");
  await time.pass(2000);
  expect(await ask1(1)).toBe("unreachable");
  await time.pass(5000);
  let reply = "";
  for (let tries = 0; reply !== "words" && tries < 200; tries++) reply = await ask1(1);
  expect(reply).toBe("words");
});

test("a port that is refused by command is closed when the command is answered, and open when its end is", async () => {
  const { sim, ask } = await running();
  for (let i = 1; i <= 5; i++) {
    await ask("POST", "/faults", { kind: "refused", on: { line: 0 } });
    expect(await read(sim)(1)).toBe("unreachable");
    await ask("DELETE", `/faults/f${i}`);
    expect(await read(sim)(1)).toBe("words");
  }
});

const SEEN = [
  { kind: "no-value" },
  { kind: "word-order" },
  // A command that came an hour ago: since then the registers stand.
  { kind: "frozen" },
] as const;

test.each(SEEN)("$kind of one connection is what that one sees, and no other", async ({ kind }) => {
  const { sim, time, ask } = await running();
  const [first, second] = [words(sim), words(sim)];
  await first();
  const posted = await ask("POST", "/faults", { kind, on: { line: 0, unit: 2, connection: 1 } });
  expect(posted).toMatchObject({ status: 201, document: { on: { line: 0, unit: 2, connection: 1 }, active: true } });
  await time.pass(3_600_000);
  const [seen, other] = [await first(), await second()];
  expect(other).toEqual(sim.meters[1]!.read(4, 0, 2, time.clock.now_ms()));
  expect(seen).not.toEqual(other);
  await ask("DELETE", "/faults/f1");
  expect(await first()).toEqual(other);
});

test("a port that is refused to one connection cuts that one off, and the others live", async () => {
  const { sim, ask } = await running();
  const [first, second] = [words(sim), words(sim)];
  await first();
  await second();
  await ask("POST", "/faults", { kind: "refused", on: { line: 0, connection: 1 } });
  await second();
  const third = read(sim);
  expect(await third(2)).toBe("words");
  await ask("POST", "/faults", { kind: "refused", on: { line: 0, connection: 4 } });
  // The client of the first connection comes again: as the fourth, which is refused too, and then as the fifth.
  await expect(first()).rejects.toThrow("unreachable");
  await first();
});

test("a reset is told with what the meter stood at before and after, and the truth file shows both from then on", async () => {
  const { sim, told, time, ask } = await running();
  await ask("POST", "/faults", { kind: "register-reset", on: { line: 0, unit: 1 } });
  const { meters } = told[0]!.fault;
  expect(meters).toHaveLength(1);
  const truth = sim.meters[0]!.truth(START_ms).active_energy_import_total;
  expect(meters![0]!.before.active_energy_import_total).toEqual(truth);
  expect(meters![0]!.after.active_energy_import_total).toEqual({ value: "0", unit: "Wh" });
  await time.pass(3_600_000);
  const [first, second] = sim.truthAt(START_ms + 3_600_000);
  const counted = Number(first!.counters.active_energy_import_total!.value) - Number(truth!.value);
  expect(Number(first!.shown!.active_energy_import_total!.value)).toBeCloseTo(counted, 4);
  expect(second).not.toHaveProperty("shown");
  expect(await ask("DELETE", "/faults/f1")).toMatchObject({ status: 409 });
});

test("a rollover that is commanded moves the counter close to its end at once, which is told, and passes it at its time", async () => {
  const { sim, told, time, ask } = await running();
  const stands = async () => {
    const bus = openBus({ kind: "tcp", host: "127.0.0.1", port: sim.lines[0]!.port });
    const reply = await bus.read({ ...request(1, 10_000), fc: 3, address: 3203, count: 4 });
    await bus.close();
    if (reply.kind !== "words") throw new Error(reply.kind);
    return reply.words.reduce((sum, word) => sum * 65_536n + BigInt(word), 0n);
  };
  const end = 2n ** 63n;
  // Also after it began anew.
  await ask("POST", "/faults", { kind: "register-reset", on: { line: 0, unit: 1 } });
  await time.pass(60_000);
  const before = await stands();
  expect(await ask("POST", "/faults", { kind: "rollover", on: { line: 0, unit: 1 }, at: "+1min" })).toMatchObject({
    status: 201,
    document: { active: false },
  });
  const set = told.at(-1)!;
  expect([Date.parse(set.at) - START_ms, set.fault.kind, set.fault.state]).toEqual([60_000, "rollover", "set"]);
  const wh = (truth: { readonly [quantity: string]: { readonly value: string } }) =>
    BigInt(truth.active_energy_import_total!.value.split(".")[0]!);
  const [mark] = set.fault.meters!;
  expect(wh(mark!.before)).toBe(before);
  expect(await stands()).toBe(wh(mark!.after));
  expect(end - (await stands())).toBeLessThan(10_000n);
  await time.pass(60_000);
  const passed = told.at(-1)!;
  expect([Date.parse(passed.at) - START_ms, passed.fault.state]).toEqual([120_000, "begin"]);
  expect(passed.fault.meters![0]!.before).toEqual(passed.fault.meters![0]!.after);
  expect(await stands()).toBe(0n);
  // The rule of the truth file: what was counted is the steps between the marks.
  const steps = wh(passed.fault.meters![0]!.before) - wh(mark!.after);
  const [first, last] = [60_000, 120_000].map((after_ms) => wh(sim.meters[0]!.truth(START_ms + after_ms)));
  expect(Number(steps - (last! - first!))).toBeCloseTo(0, -1);
});

test("meters and kinds are listed", async () => {
  const { ask } = await running();
  expect((await ask("GET", "/meters")).document).toMatchObject({
    meters: [
      { line: 0, unit: 1, model: "schneider-pm5000", counters: { active_energy_import_total: { unit: "Wh" } } },
      { line: 0, unit: 2, model: "eastron-sdm630" },
    ],
  });
  expect((await ask("GET", "/kinds")).document).toEqual({ kinds: FAULTS });
});

test.each<[string, string, unknown, number, RegExp]>([
  ["no JSON", "/faults", "{", 400, /no JSON/],
  ["an unknown kind", "/faults", { kind: "slw", on: { line: 0 } }, 400, /did you mean slow/],
  ["an unknown key", "/faults", { kind: "slow", on: { line: 0 }, dely: "1s" }, 400, /did you mean delay/],
  ["no target", "/faults", { kind: "slow" }, 400, /on: is missing/],
  ["a line that is not there", "/faults", { kind: "slow", on: { line: 3 } }, 400, /no line 3/],
  [
    "what comes again but does not end",
    "/faults",
    { kind: "slow", on: { line: 0 }, every: "1s" },
    400,
    /for: is missing/,
  ],
  [
    "what does nothing to its meter",
    "/faults",
    { kind: "rollover", on: { line: 0, unit: 2 } },
    400,
    /eastron-sdm630 has its counters in float registers/,
  ],
  [
    "what does nothing to a quantity",
    "/faults",
    { kind: "rollover", on: { line: 0, unit: 1 }, quantity: "volume_total_1" },
    400,
    /volume_total_1 of schneider-pm5000: it is no counter of it \(allowed: active_energy/,
  ],
  [
    "what was over before it was asked for",
    "/faults",
    { kind: "silent", on: { line: 0 }, from: "2020-01-01T00:00:00Z", for: "10s" },
    400,
    /it would do nothing: it ended at 2020-01-01T00:00:10\.000Z/,
  ],
  [
    "a restart that one connection sees",
    "/faults",
    { kind: "reboot", on: { line: 0, connection: 1 }, for: "5s" },
    400,
    /reboot is of the meter itself, and every connection sees it \(allowed: line, unit\)/,
  ],
  [
    "a port that one unit has",
    "/faults",
    { kind: "refused", on: { line: 0, unit: 1 } },
    400,
    /refused is of the port, whatever unit is asked \(allowed: line, connection\)/,
  ],
  ["a clock jump", "/faults", { kind: "clock-jump", on: { line: 0 }, by: "1h" }, 400, /beyond a simulator/],
  ["another path", "/fault", {}, 404, /nothing at \/fault/],
])("%s is a problem with a hint", async (_name, path, body, status, detail) => {
  const { ask, sim } = await running();
  const answer = await ask("POST", path, body);
  expect(answer).toMatchObject({
    status,
    document: { type: "about:blank", status, detail: expect.stringMatching(detail) },
  });
  expect((answer.document as { hint: string }).hint).not.toBe("");
  expect(sim.faults.all()).toEqual([]);
});

test("other methods are told which there are", async () => {
  const { ask } = await running();
  expect(await ask("PUT", "/faults")).toMatchObject({ status: 405, headers: { allow: "GET, POST" } });
  expect(await ask("DELETE", "/faults/none")).toMatchObject({ status: 404 });
});

test("the port answers this machine only: no page of a browser, no foreign name, no network address", async () => {
  const server = await serveControl({ host: "127.0.0.1", port: 0 }, async ({ body }) => ({
    status: 200,
    document: { body },
  }));
  opened.push(server);
  const url = `http://127.0.0.1:${server.port}/faults`;
  const status = async (init: RequestInit) => {
    const answer = await fetch(url, init);
    return [answer.status, answer.headers.get("content-type")];
  };
  const json = { "content-type": "application/json" };
  expect(await status({})).toEqual([200, "application/json"]);
  expect(await status({ headers: { origin: "http://evil.example" } })).toEqual([403, "application/problem+json"]);
  expect(await status({ method: "POST", body: "{}" })).toEqual([415, "application/problem+json"]);
  expect(await status({ method: "POST", body: "x".repeat(70_000), headers: json })).toEqual([
    413,
    "application/problem+json",
  ]);
  await expect(
    serveControl({ host: "0.0.0.0", port: 0 }, async () => ({ status: 200, document: null })),
  ).rejects.toMatchObject({
    code: "LISTEN_NOT_LOOPBACK",
  });
  const taken = serveControl({ host: "127.0.0.1", port: server.port }, async () => ({ status: 200, document: null }));
  await expect(taken).rejects.toThrow(KhuXanhError);
  await expect(taken).rejects.toMatchObject({ code: "PORT_TAKEN" });
});

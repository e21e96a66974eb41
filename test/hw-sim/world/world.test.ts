import { expect, test } from "vitest";
import { stream } from "../../../hw-sim/world/random.ts";
import { Scheduler } from "../../../hw-sim/world/scheduler.ts";
import { createWorld } from "../../../hw-sim/world/world.ts";
import { settling } from "../../sim/settle.ts";

const ORIGIN_MS = Date.parse("2026-11-02T08:00:00+07:00");
const world = () => createWorld({ seed: 1, origin_ms: ORIGIN_MS, settle: settling() });

test("events come in order of time, then of making, and not when cancelled", async () => {
  const scheduler = new Scheduler(settling());
  const seen: string[] = [];
  scheduler.at(5, () => seen.push("later"));
  scheduler.at(1, () => seen.push("first"));
  scheduler.at(1, () => seen.push("second"));
  scheduler.at(2, () => seen.push("never"))();
  await scheduler.run(3);
  expect([seen, scheduler.now_ms]).toEqual([["first", "second"], 3]);
  await scheduler.run(10);
  expect(seen).toEqual(["first", "second", "later"]);
});

test("every promise reaction is done before the next event, however long the chain", async () => {
  const scheduler = new Scheduler(settling());
  const seen: string[] = [];
  scheduler.at(1, () => {
    void (async () => {
      for (let i = 0; i < 50; i++) await Promise.resolve();
      seen.push("chain");
    })();
  });
  scheduler.at(1, () => seen.push("event"));
  await scheduler.run(1);
  expect(seen).toEqual(["chain", "event"]);
});

test("events that make each other at one instant end the run, and do not hang it", async () => {
  const scheduler = new Scheduler(settling());
  const again = (): void => void scheduler.after(0, again);
  scheduler.at(1, again);
  await expect(scheduler.run(2)).rejects.toThrow("time stands still");
});

test("what an event throws ends the run", async () => {
  const scheduler = new Scheduler(settling());
  scheduler.at(1, () => {
    throw new RangeError("a defect");
  });
  await expect(scheduler.run(2)).rejects.toThrow("a defect");
});

test("a stream is the same for the same seed and name, and another for another", () => {
  const draw = (seed: number, name: string) => Array.from({ length: 5 }, stream(seed, name).unit);
  expect(draw(1, "a")).toEqual(draw(1, "a"));
  expect(draw(1, "b")).not.toEqual(draw(1, "a"));
  expect(draw(2, "a")).not.toEqual(draw(1, "a"));
  expect(draw(1, "a").every((value) => value >= 0 && value < 1)).toBe(true);
});

test("a wall clock jumps and drifts, the monotonic one does not; true times of a wall time are found again", async () => {
  const { machine, scheduler } = world();
  const gateway = machine("gw");
  const { clock } = gateway.start();
  await scheduler.run(10_000);
  gateway.jump(-5000);
  expect([clock.now_ms() - ORIGIN_MS, clock.mono_ms()]).toEqual([5000, 10_000]);
  // The clock showed 7 s once before it was put back, and shows it again.
  await scheduler.run(13_000);
  expect(gateway.trueTimesOf(ORIGIN_MS + 7000).map((at_ms) => at_ms - ORIGIN_MS)).toEqual([7000, 12_000]);
  gateway.jump(5000);
  expect(gateway.trueTimesOf(ORIGIN_MS + 10_500)).toEqual([]);
  gateway.drift(1000);
  await scheduler.run(1_013_000);
  expect(clock.now_ms() - ORIGIN_MS).toBe(1_014_000);
});

test("a life that ended has no timers and no voice", async () => {
  const { machine, scheduler } = world();
  const life = machine("gw").start();
  const seen: string[] = [];
  life.timers.every(100, () => seen.push("tick"));
  await scheduler.run(250);
  life.end("power-cut");
  life.timers.after(1, () => seen.push("after death"));
  life.live(() => seen.push("last words"));
  await scheduler.run(1000);
  expect(seen).toEqual(["tick", "tick"]);
});

interface Heard {
  readonly received: string[];
  readonly closed: string[];
}

async function connected(at: ReturnType<typeof world>, name: string, filters: readonly string[] = []) {
  const heard: Heard = { received: [], closed: [] };
  const opened = at.network.connectorOf(at.machine(name).start()).connect({
    url: "mqtt://broker",
    clientId: name,
    will: { topic: "spBv1.0/will", payload: new TextEncoder().encode(name), qos: 1, retain: false },
    keepalive_s: 10,
    connectTimeout_ms: 5000,
    onMessage: (_topic, payload) => void heard.received.push(new TextDecoder().decode(payload)),
    onClose: (why) => void heard.closed.push(why),
  });
  await at.scheduler.run(at.scheduler.now_ms + 200);
  const link = await opened;
  if (filters.length > 0) void link.subscribe(filters.map((filter) => ({ filter, qos: 1 })));
  await at.scheduler.run(at.scheduler.now_ms + 200);
  return { link, ...heard };
}

const bytes = (text: string) => new TextEncoder().encode(text);
const QOS0 = { qos: 0, retain: false } as const;

test("a short partition only delays; a connection that leads nowhere is found out by both sides' keep-alive", async () => {
  const at = world();
  const host = await connected(at, "host", ["spBv1.0/#"]);
  const edge = await connected(at, "edge");
  at.network.cutOff("edge");
  void edge.link.publish("spBv1.0/a", bytes("delayed"), QOS0);
  await at.scheduler.run(at.scheduler.now_ms + 3000);
  expect(host.received).toEqual([]);
  at.network.reach("edge");
  await at.scheduler.run(at.scheduler.now_ms + 3000);
  expect(host.received).toEqual(["delayed"]);

  at.network.halfOpen("edge");
  void edge.link.publish("spBv1.0/a", bytes("gone"), QOS0);
  await at.scheduler.run(at.scheduler.now_ms + 31_000);
  expect([host.received, edge.closed]).toEqual([["delayed", "edge"], ["keep-alive timeout"]]);
});

test("the broker ends every session that fell silent, also where adding its keep-alive rounds the time", async () => {
  const at = world();
  // Where a power of two is passed, a sum of times of many bits keeps one less.
  await at.scheduler.run(2 ** 18 - 12_000 + 0.1);
  for (let i = 0; i < 10; i++) {
    await connected(at, `edge-${i}`);
    at.network.halfOpen(`edge-${i}`);
  }
  await at.scheduler.run(at.scheduler.now_ms + 31_000);
  for (let i = 0; i < 10; i++) expect(at.trace.tail(100).join()).toContain(`session of edge-${i} ends: keep-alive`);
});

test("QoS 0 is lost and doubled as often as asked; QoS 1 never", async () => {
  const at = world();
  const host = await connected(at, "host", ["spBv1.0/#"]);
  const edge = await connected(at, "edge");
  Object.assign(at.broker.faults, { lost: 0.2, doubled: 0.1 });
  for (let i = 0; i < 1000; i++) void edge.link.publish("spBv1.0/a", bytes("0"), QOS0);
  for (let i = 0; i < 100; i++) void edge.link.publish("spBv1.0/a", bytes("1"), { qos: 1, retain: false });
  await at.scheduler.run(at.scheduler.now_ms + 5000);
  // Lost on the way in or on the way out: 64 % arrive, one in ten of them twice.
  const arrived = host.received.filter((text) => text === "0").length;
  expect(arrived).toBeGreaterThan(620);
  expect(arrived).toBeLessThan(790);
  expect(host.received.filter((text) => text === "1")).toHaveLength(100);
});

test("the queue of a slow subscriber overflows and drops QoS 0", async () => {
  const at = world();
  const host = await connected(at, "host", ["spBv1.0/#"]);
  const edge = await connected(at, "edge");
  at.broker.slow_ms.set("host", 100);
  for (let i = 0; i < 1500; i++) void edge.link.publish("spBv1.0/a", bytes(String(i)), QOS0);
  await at.scheduler.run(at.scheduler.now_ms + 200_000);
  expect(host.received).toHaveLength(1000);
  expect(at.broker.counts.overflowed).toBe(500);
});

test("what waits for a slow subscriber comes at once, in order, when it is slow no longer", async () => {
  const at = world();
  const host = await connected(at, "host", ["spBv1.0/#"]);
  const edge = await connected(at, "edge");
  at.broker.slow_ms.set("host", 1000);
  for (let i = 0; i < 500; i++) void edge.link.publish("spBv1.0/a", bytes(String(i)), QOS0);
  await at.scheduler.run(at.scheduler.now_ms + 5500);
  expect(host.received).toHaveLength(5);
  at.broker.slow_ms.delete("host");
  await at.scheduler.run(at.scheduler.now_ms + 2000);
  expect(host.received).toEqual(Array.from({ length: 500 }, (_, i) => String(i)));
});

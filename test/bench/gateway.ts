import { fileURLToPath } from "node:url";
import mqtt from "mqtt";
import { decodePayload, type Metric } from "../../core/wire/payload.ts";
import { type BenchResult, machine, median } from "./contest.ts";
import { type BookedPolls, booksOf } from "./gateway/books.ts";
import { type Spent, spentBy } from "./gateway/proc.ts";
import { EDGE, type Khuxanh, METERS, openStage, runNode, type Stage, VALUES, ZONE } from "./gateway/stage.ts";

export const summary = `the ordinary gateway, ${METERS} meters of ${VALUES} values every second through Mosquitto, as its own process`;
export const limit = "modbus-serial, mqtt.js and a timer doing the same without keeping anything, at the same time";

const STARTS = 5;
const WARM_UP_S = 15;
/** Windows of the same length, both processes side by side. */
const TURNS = 6;
const TURN_S = 5;
const OUTAGE_S = 30;
const DRAIN_MS = 60_000;

/**
 * Start-ups, half a minute online, a broker outage, and an outage in which the agent is killed. Processor time, memory and
 * written bytes are the kernel's word; latency is from the instant a value was read to its arrival at another subscriber; what was
 * lost is what the meters answered less what the collector holds.
 */
export async function runGateway(say: (line: string) => void = () => {}): Promise<BenchResult> {
  const stage = await openStage();
  try {
    const listener = await listen(stage.mosquitto.url);
    say("starts");
    const starts = await measureStarts(stage, listener);
    const agent = stage.startAgent();
    const bare = runNode([
      fileURLToPath(new URL("gateway/bare.ts", import.meta.url)),
      String(stage.mosquitto.port),
      String(METERS / stage.taps.length),
      ...stage.taps.map(({ port }) => String(port)),
    ]);
    try {
      say("online");
      await untilBorn(stage);
      await wait(WARM_UP_S * 1000);
      const online = await measureTurns(agent, bare, listener);
      await bare.end("SIGKILL");
      await untilHalf();
      say("outage");
      const outageFrom_ms = Date.now();
      const before = spentBy(agent.pid);
      await stage.mosquitto.stop("SIGTERM");
      await wait(OUTAGE_S * 1000);
      const offline = difference(spentBy(agent.pid), before);
      await recover(stage);
      await untilHalf();
      const outageTo_ms = Date.now();
      say("outage with a kill");
      await stage.mosquitto.stop("SIGTERM");
      await wait((OUTAGE_S / 2) * 1000 + 300);
      await agent.end("SIGKILL");
      const again = stage.startAgent();
      await wait((OUTAGE_S / 2) * 1000);
      await recover(stage);
      await wait(2000);
      await untilHalf();
      const end_ms = Date.now();
      await wait(3000);
      await untilDrained(stage);
      await again.end("SIGTERM");
      await stage.collector.end("SIGTERM");
      const outage = booksOf(stage, outageFrom_ms, outageTo_ms);
      const kill = booksOf(stage, outageTo_ms, end_ms);
      return result({ starts, online, offline, outage, kill });
    } finally {
      await bare.end("SIGKILL");
      listener.end();
    }
  } catch (error) {
    throw new Error(`${error}\n${stage.said()}`, { cause: error });
  } finally {
    await stage.close();
  }
}

interface Start {
  readonly poll_ms: number;
  readonly reading_ms: number;
  /** Of the processor, which does not depend on what else the machine does. */
  readonly cpu_ms: number;
}

interface Measured {
  readonly starts: readonly Start[];
  readonly online: Online;
  readonly offline: Spent;
  readonly outage: BookedPolls;
  readonly kill: BookedPolls;
}

function result({ starts, online, offline, outage, kill }: Measured): BenchResult {
  const share = (all: readonly Spent[]) => round((100 * median(all.map(({ cpu_s }) => cpu_s))) / TURN_S);
  const rss = (all: readonly Spent[]) => Math.round(median(all.map(({ rss_MB }) => rss_MB)));
  const perTurn = METERS * VALUES * TURN_S;
  const ours = {
    cpu_share_pct: share(online.ours),
    rss_MB: rss(online.ours),
    start_to_first_poll_ms: Math.round(median(starts.map(({ poll_ms }) => poll_ms))),
    start_to_first_reading_ms: Math.round(median(starts.map(({ reading_ms }) => reading_ms))),
    start_cpu_ms: Math.round(median(starts.map(({ cpu_ms }) => cpu_ms))),
    latency_p50_ms: quantile(online.oursLatency_ms, 0.5),
    latency_p99_ms: quantile(online.oursLatency_ms, 0.99),
    uplink_bytes_per_reading: round(online.ourBytes / Math.max(1, online.oursLatency_ms.length)),
    written_bytes_per_reading_online: round(median(online.ours.map(({ write_bytes }) => write_bytes)) / perTurn),
    written_bytes_per_reading_offline: round(offline.write_bytes / (METERS * VALUES * OUTAGE_S)),
    cpu_share_offline_pct: round((100 * offline.cpu_s) / OUTAGE_S),
    readings_answered_in_outage: outage.answered * VALUES,
    readings_lost_in_outage: outage.lost * VALUES,
    readings_answered_in_outage_with_kill: kill.answered * VALUES,
    readings_lost_by_kill: kill.lost * VALUES,
    readings_of_one_tick: METERS * VALUES,
    energy_lost_by_kill_Wh: kill.energyLost_Wh,
  };
  const bare = {
    cpu_share_pct: share(online.bare),
    rss_MB: rss(online.bare),
    latency_p50_ms: quantile(online.bareLatency_ms, 0.5),
    latency_p99_ms: quantile(online.bareLatency_ms, 0.99),
  };
  const ratio = {
    cpu_share_pct: round(median(online.ours.map(({ cpu_s }, i) => cpu_s / Math.max(online.bare[i]!.cpu_s, 0.001)))),
    rss_MB: round(ours.rss_MB / bare.rss_MB),
  };
  return { bench: "gateway", ours, limit: bare, ratio, turns: TURNS, machine: machine() };
}

interface Online {
  readonly ours: readonly Spent[];
  readonly bare: readonly Spent[];
  readonly oursLatency_ms: readonly number[];
  readonly bareLatency_ms: readonly number[];
  readonly ourBytes: number;
}

async function measureTurns(agent: Khuxanh, bare: Khuxanh, listener: Listener): Promise<Online> {
  const ours: Spent[] = [];
  const others: Spent[] = [];
  listener.clear();
  for (let turn = 0; turn < TURNS; turn++) {
    const [before, beforeBare] = [spentBy(agent.pid), spentBy(bare.pid)];
    await wait(TURN_S * 1000);
    ours.push(difference(spentBy(agent.pid), before));
    others.push(difference(spentBy(bare.pid), beforeBare));
  }
  const { latency_ms, bareLatency_ms, bytes } = listener.heard();
  return { ours, bare: others, oursLatency_ms: latency_ms, bareLatency_ms, ourBytes: bytes };
}

/** Of fresh processes on a journal that is there already: to the first answer of a meter, and to the first value at the broker. */
async function measureStarts(stage: Stage, listener: Listener) {
  const first = stage.startAgent();
  await untilBorn(stage);
  await wait(2000);
  await first.end("SIGTERM");
  const starts: Start[] = [];
  for (let n = 0; n < STARTS; n++) {
    // Not at the same place of the second every time.
    await wait(1000 + (n * 1000) / STARTS);
    const answers = stage.taps.map(({ answers: all }) => all.length);
    listener.clear();
    const agent = stage.startAgent();
    const firstAnswer = () =>
      Math.min(...stage.taps.map((tap, i) => tap.answers[answers[i]!]?.at_ms ?? Number.POSITIVE_INFINITY));
    await until("the first value arrives", async () => listener.heard().first_ms !== null);
    starts.push({
      cpu_ms: spentBy(agent.pid).cpu_s * 1000,
      poll_ms: firstAnswer() - agent.started_ms,
      reading_ms: listener.heard().first_ms! - agent.started_ms,
    });
    await agent.end("SIGTERM");
  }
  return starts;
}

interface Heard {
  readonly first_ms: number | null;
  readonly latency_ms: readonly number[];
  readonly bareLatency_ms: readonly number[];
  readonly bytes: number;
}

interface Listener {
  clear(): void;
  heard(): Heard;
  end(): void;
}

/**
 * Another subscriber, as a SCADA system would be. Live values only: what comes late says so itself. The first value of a process
 * comes in a birth, as every subscriber gets it there, or in the data after it.
 */
async function listen(url: string): Promise<Listener> {
  const client = await mqtt.connectAsync(url, { protocolVersion: 4, reconnectPeriod: 500 });
  client.on("error", () => {});
  const kinds = ["DBIRTH", "DDATA"].map((kind) => `spBv1.0/${ZONE}/${kind}/${EDGE}/+`);
  await client.subscribeAsync([...kinds, "bare/#"], { qos: 0 });
  let first_ms: number | null = null;
  let since_ms = 0;
  let latency_ms: number[] = [];
  let bareLatency_ms: number[] = [];
  let bytes = 0;
  client.on("message", (topic, payload) => {
    const now_ms = Date.now();
    if (topic.startsWith("bare/")) {
      const { at, values } = JSON.parse(payload.toString()) as { at: number; values: number[] };
      for (const _value of values) bareLatency_ms.push(now_ms - at);
      return;
    }
    if (topic.includes("/DBIRTH/")) {
      if (first_ms === null && decodePayload(payload).metrics.some((metric) => isReadSince(since_ms, metric)))
        first_ms = now_ms;
      return;
    }
    bytes += payload.length;
    const metrics = decodePayload(payload).metrics;
    // The last one is the batch's own number.
    for (const { timestamp_ms, isHistorical } of metrics.slice(0, -1)) {
      if (timestamp_ms === undefined || isHistorical === true) continue;
      latency_ms.push(now_ms - timestamp_ms);
      // What the process before it left in the journal comes too.
      if (timestamp_ms >= since_ms) first_ms ??= now_ms;
    }
  });
  return {
    clear() {
      since_ms = Date.now();
      first_ms = null;
      latency_ms = [];
      bareLatency_ms = [];
      bytes = 0;
    },
    heard: () => ({ first_ms, latency_ms, bareLatency_ms, bytes }),
    end: () => void client.end(true),
  };
}

/** A value of a meter in its birth, not a text about it. */
function isReadSince(from_ms: number, { timestamp_ms, isNull, floatValue, doubleValue }: Metric): boolean {
  const isNumber = floatValue !== undefined || doubleValue !== undefined;
  return isNumber && isNull !== true && timestamp_ms !== undefined && timestamp_ms >= from_ms;
}

async function recover(stage: Stage): Promise<void> {
  await stage.mosquitto.start();
  await untilBorn(stage);
  await untilDrained(stage);
}

async function untilBorn(stage: Stage): Promise<void> {
  await until("the agent is born and all meters answer", async () => {
    const health = await stage.health();
    return health?.uplink.state === "born" && health.meters.filter(({ answering }) => answering).length === METERS;
  });
}

/** What is under way of the last second or two is no backlog. */
async function untilDrained(stage: Stage): Promise<void> {
  await until(
    "the backlog has drained",
    async () => ((await stage.health())?.journal.unconfirmed ?? 1e9) <= 3 * METERS,
  );
}

/** Polls come with the second; in its middle none is under way. */
async function untilHalf(): Promise<void> {
  const now = Date.now();
  await wait(1000 - ((now + 400) % 1000));
}

function difference(after: Spent, before: Spent): Spent {
  return {
    cpu_s: after.cpu_s - before.cpu_s,
    rss_MB: after.rss_MB,
    write_bytes: after.write_bytes - before.write_bytes,
  };
}

function quantile(values: readonly number[], at: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * at))] ?? 0;
}

const round = (value: number) => Number(value.toPrecision(3));
const wait = (length_ms: number) => new Promise<void>((resolve) => setTimeout(resolve, length_ms));

async function until(what: string, isTrue: () => Promise<boolean>): Promise<void> {
  const start_ms = performance.now();
  while (!(await isTrue())) {
    if (performance.now() - start_ms > DRAIN_MS) throw new Error(`gave up waiting until ${what}`);
    await wait(20);
  }
}

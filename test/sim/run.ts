import { drawBackups } from "./backups.ts";
import { whyNotDrained, whyNotWhole } from "./checkers/drained.ts";
import { checkEnergy } from "./checkers/energy.ts";
import { checkStoredOnce } from "./checkers/once.ts";
import { drawEpisodes, type Episode } from "./episodes.ts";
import type { Finding } from "./findings.ts";
import { kindsNamed } from "./kinds.ts";
import { drawMeterFaults } from "./meterFaults.ts";
import { drawZone, INTERVAL_MS } from "./plan.ts";
import { drawWireFaults } from "./wireFaults.ts";
import { SimZone } from "./zone.ts";

export interface RunOptions {
  readonly seed: number;
  /** Virtual hours with faults. */
  readonly hours: number;
  /** Only these kinds of faults, or groups of them (`kinds.ts`); all when left out. */
  readonly kinds?: readonly string[];
}

export interface RunResult {
  readonly seed: number;
  readonly hash: string;
  readonly findings: readonly Finding[];
  readonly episodes: readonly Episode[];
  readonly events: number;
  readonly traceLines: number;
  readonly virtual_ms: number;
  /** Virtual time from the end of the faults until all was confirmed; null if it never was. */
  readonly drained_ms: number | null;
  /** Taken in by the broker. */
  readonly messages: number;
  /** The newest lines of the trace. */
  readonly tail: readonly string[];
}

/** After the last fault everything has drained within this virtual time: retries wait for 5 minutes at most, twice. */
export const DRAIN_LIMIT_MS = 20 * 60_000;
const DRAIN_STEP_MS = 5000;
/** Books are looked at this often while faults go on. */
const CHECK_EVERY_MS = 30 * 60_000;
/** After a boundary its interval is polled, sent, booked and compared within this time. */
const BOOKED_AFTER_MS = 90_000;
const TAIL_LINES = 400;

/**
 * One world of this seed. First *safety*: faults come and go, and nothing may be wrong at any time. Then *liveness*: the
 * faults end, and everything must arrive.
 */
export async function runSeed({ seed, hours, kinds }: RunOptions): Promise<RunResult> {
  const named = kinds === undefined ? undefined : kindsNamed(kinds);
  const zone = new SimZone(drawZone(seed, named));
  const { scheduler, trace, broker } = zone.world;
  const faults_ms = hours * 3_600_000;
  const span = { from_ms: 0, to_ms: faults_ms, ...(named === undefined ? {} : { kinds: named }) };
  const drawn = [
    ...drawEpisodes(zone, span),
    ...drawMeterFaults(zone, span),
    ...drawWireFaults(zone, span),
    ...drawBackups(zone, span),
  ];
  const episodes = drawn.sort((a, b) => a.at_ms - b.at_ms);
  for (const episode of episodes) {
    scheduler.at(episode.at_ms, () => {
      trace.note(`fault begins: ${episode.what}`);
      episode.begin();
    });
    scheduler.at(episode.at_ms + episode.lasts_ms, () => {
      trace.note(`fault ends: ${episode.what}`);
      episode.end();
    });
  }
  const { findings } = zone;
  const isWrong = (): boolean => findings.all.length > 0;
  const check = (): void => zone.checkers.books.check(zone.agents);
  let drained_ms: number | null = null;
  try {
    zone.start();
    for (let at_ms = CHECK_EVERY_MS; at_ms < faults_ms && !isWrong(); at_ms += CHECK_EVERY_MS) {
      await zone.run(at_ms);
      check();
    }
    if (!isWrong()) await zone.run(faults_ms);
    trace.note("faults are over");
    for (const episode of episodes) episode.end();
    if (!isWrong()) drained_ms = await drain(zone);
    if (!isWrong()) await zone.run(nextBoundary(zone) + BOOKED_AFTER_MS);
    if (!isWrong()) check();
    const why = isWrong() ? null : whyNotWhole(zone, zone.checkers.books);
    if (why !== null) findings.report("liveness", why);
    if (!isWrong()) checkEnergy(zone, episodes);
    if (!isWrong()) checkStoredOnce(zone);
  } catch (error) {
    findings.report("crash", error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
  const result = {
    seed,
    hash: trace.hash(),
    findings: findings.all,
    episodes,
    events: scheduler.taken,
    traceLines: trace.lines,
    virtual_ms: scheduler.now_ms,
    drained_ms,
    messages: broker.counts.published,
    tail: trace.tail(TAIL_LINES),
  };
  zone.close();
  return result;
}

/** @returns how long it took */
async function drain(zone: SimZone): Promise<number | null> {
  const { scheduler } = zone.world;
  const from_ms = scheduler.now_ms;
  for (;;) {
    await zone.run(scheduler.now_ms + DRAIN_STEP_MS);
    if (zone.findings.all.length > 0) return null;
    const why = whyNotDrained(zone);
    if (why === null) return scheduler.now_ms - from_ms;
    if (scheduler.now_ms - from_ms < DRAIN_LIMIT_MS) continue;
    zone.findings.report("liveness", `${DRAIN_LIMIT_MS / 60_000} min after the last fault: ${why}`);
    return null;
  }
}

function nextBoundary({ world }: SimZone): number {
  const true_ms = world.true_ms();
  return world.scheduler.now_ms + INTERVAL_MS - (true_ms % INTERVAL_MS);
}

import type { QuantityId } from "../../../core/units/quantities.ts";
import type { FaultLine } from "../../../hw-sim/faults/faultRunner.ts";
import { type TruthLine, truthLines } from "../../../hw-sim/truthFile.ts";
import { booksOfStore } from "../../truth/books.ts";
import { compareBooks } from "../../truth/compareBooks.ts";
import { type Happening, loss, outage } from "../../truth/excuses.ts";
import type { TruthEntry } from "../../truth/truthLog.ts";
import type { Episode } from "../episodes.ts";
import { INTERVAL_MS } from "../plan.ts";
import { LIBRARY, type MeterInWorld, type SimAgent, type SimZone } from "../zone.ts";

/**
 * The books in the end against what the meters truly counted: the laws and excuses of `test/truth/compareBooks.ts`. Faults of
 * meters excuse what `FAULT_EXCUSES` says, and what befell gateway and line what `excusesOf` says.
 */
export function checkEnergy(zone: SimZone, episodes: readonly Episode[]): void {
  const { world, findings, collector } = zone;
  const from_ms = Math.floor((world.true_ms() - world.scheduler.now_ms) / INTERVAL_MS) * INTERVAL_MS;
  const to_ms = Math.floor(world.true_ms() / INTERVAL_MS) * INTERVAL_MS;
  for (const agent of zone.agents) {
    const happenings = episodes.flatMap((episode) =>
      excusesOf(agent, episode, world.true_ms(), world.scheduler.now_ms),
    );
    const truth = truthOf(agent, from_ms, to_ms);
    for (const meter of agent.meters) {
      const { name } = meter.faulty.meter;
      const books = booksOfStore(
        collector.store,
        (gateway, device) => (gateway.edge === agent.machine.name && device === meter.device ? name : null),
        { from_ms: 0, to_ms: Number.MAX_SAFE_INTEGER },
      );
      // A meter that was never read has no rows; how late the first one may be is not judged here.
      const first_ms = Math.min(to_ms, ...books.map((row) => row.from_ms));
      const found = compareBooks(
        truth.filter((entry) => !("name" in entry) || entry.name === name),
        books,
        {
          from_ms: first_ms,
          to_ms,
          interval_ms: INTERVAL_MS,
          poll_ms: meter.config.every.energy_ms,
          recovery_ms: RECOVERY_MS,
          models: LIBRARY,
          rateMax: (_name, quantity) => greatestRate(meter, quantity, from_ms, to_ms),
          happenings,
        },
      );
      for (const { kind, text } of found) findings.report("energy", `${kind}: ${text}`);
    }
  }
}

/** Back-off of a line whose meter was silent, and the poll after it. */
const RECOVERY_MS = 6 * 60_000;

/** As `khuxanh sim` writes it: counters at every boundary, and faults of meters. */
function truthOf({ meters, faults }: SimAgent, from_ms: number, to_ms: number): readonly TruthEntry[] {
  const counts: TruthLine[] = [];
  for (let at_ms = from_ms; at_ms <= to_ms; at_ms += INTERVAL_MS) {
    for (const { line, faulty } of meters) {
      const [one] = truthLines([{ meters: [faulty.meter] }], at_ms, () => faulty.shown(at_ms));
      counts.push({ ...one!, line });
    }
  }
  const changes = faults.changes(Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY).map(
    ({ at_ms, fault: { id, on, what }, state }): FaultLine => ({
      at: new Date(at_ms).toISOString(),
      fault: { ...on, id, kind: what.kind, state },
    }),
  );
  return [...counts, ...changes];
}

/** Units a second: a counter's rate is the same for a minute. With its transformers reversed it is that of its opposite. */
function greatestRate(
  { faulty: { meter } }: MeterInWorld,
  quantity: QuantityId,
  from_ms: number,
  to_ms: number,
): number {
  const unit = meter.truth(from_ms)[quantity];
  const opposite = quantity.replace(/import|export/, (way) => (way === "import" ? "export" : "import")) as QuantityId;
  const quantities = opposite in meter.truth(from_ms) ? [quantity, opposite] : [quantity];
  let greatest = 0;
  for (let at_ms = from_ms; at_ms < to_ms; at_ms += 60_000) {
    const rates = quantities.map((one) => Number(meter.ticks(one, at_ms + 60_000) - meter.ticks(one, at_ms)) / 60);
    greatest = Math.max(greatest, ...rates);
  }
  return greatest / (unit?.unit.endsWith("m3") ? 3_600_000_000 : 3_600_000);
}

const STOPS: readonly string[] = [
  "agent-crash",
  "agent-crash-at-write",
  "agent-stop",
  "agent-disk-full",
  "agent-disk-read-only",
  "line-noise",
  "meter-silent",
  "line-unreachable",
];
const DAMAGES: readonly string[] = ["bit-flip", "torn-segment"];
/** What a fault of gateway, line or network explains in its books; of the network nothing. */
function excusesOf({ machine }: SimAgent, episode: Episode, true_ms: number, now_ms: number): readonly Happening[] {
  if (episode.who !== machine.name) return [];
  const from_ms = true_ms - now_ms + episode.at_ms;
  if (STOPS.includes(episode.kind)) return [outage(from_ms, from_ms + episode.lasts_ms)];
  if (DAMAGES.includes(episode.kind)) return [loss(0, Number.MAX_SAFE_INTEGER)];
  // What was recorded since the backup, and had not arrived.
  if (episode.kind === "gateway-restored") {
    return [loss(from_ms - INTERVAL_MS, from_ms + episode.lasts_ms + 2 * INTERVAL_MS)];
  }
  const wrong = { what: episode.kind, meter: null, excuse: { gap: true, break: true, stale: true, absent: true } };
  // Intervals are cut by the gateway's clock: with a wrong one they are not those of the truth. `books.ts` judges them.
  if (episode.kind === "clock-jump") {
    const { jump_ms, lasts_ms } = episode;
    const to_ms = from_ms + lasts_ms;
    return [
      {
        ...wrong,
        from_ms: from_ms + Math.min(0, jump_ms) - INTERVAL_MS,
        to_ms: to_ms + Math.max(0, jump_ms) + 2 * INTERVAL_MS,
      },
    ];
  }
  // What it was off by when it drifted no more it stays off by.
  return episode.kind === "clock-drift"
    ? [{ ...wrong, from_ms: from_ms - INTERVAL_MS, to_ms: Number.MAX_SAFE_INTEGER }]
    : [];
}

import type { AssembledAgent } from "../../../agent/assemble.ts";
import { INTERVAL_MS } from "../plan.ts";
import { type SimAgent, type SimZone, ZONE } from "../zone.ts";
import type { BooksChecker } from "./books.ts";

/**
 * Liveness: some time after the last fault everything has arrived. Nothing is unconfirmed, every number is held or known
 * lost, every counter is read, every interval is booked up to the last boundary and compared, and there is no hole in the books.
 */
export function whyNotDrained(zone: SimZone): string | null {
  if (zone.collector.running === null) return "the collector does not run";
  for (const agent of zone.agents) {
    const why = whyAgentNotDrained(zone, agent);
    if (why !== null) return `${agent.machine.name}: ${why}`;
  }
  return null;
}

const ON_ITS_WAY_MS = 30_000;

function whyAgentNotDrained(zone: SimZone, { running, machine }: SimAgent): string | null {
  if (running === null) return "it does not run";
  const status = running.status();
  const refused = counterSetAside(running);
  if (refused !== null) return refused;
  if (status.uplink.state !== "born") return `its uplink is ${status.uplink.state}`;
  const { unconfirmed, oldestUnconfirmed_ms } = status.journal;
  // What was polled just now is on its way.
  if (oldestUnconfirmed_ms !== null && machine.wall_ms() - oldestUnconfirmed_ms > ON_ITS_WAY_MS) {
    return `${unconfirmed} batches are unconfirmed, the oldest of ${time(oldestUnconfirmed_ms)}`;
  }
  const gateway = { group: ZONE, edge: machine.name };
  const { epoch } = status.journal;
  const known = [
    ...zone.collector.store.batchRanges(gateway, epoch),
    ...zone.collector.store.lostRanges(gateway, epoch),
  ].sort(([a], [b]) => a - b);
  let next = 1;
  for (const [first, last] of known) {
    if (first > next) return `the collector has nothing of batches ${next}…${first - 1}`;
    next = Math.max(next, last + 1);
  }
  return next + unconfirmed < running.journal.nextNumber() ? `the collector has nothing after batch ${next - 1}` : null;
}

/** A counter that was refused is asked for again; by then it is read. */
function counterSetAside({ gateway }: AssembledAgent): string | null {
  const definitions = gateway.devices().map(({ definition }) => definition);
  for (const { device, blocks } of gateway.busStatus().flatMap(({ meters }) => meters)) {
    const polled = definitions.find((definition) => definition.device === device)?.registers ?? [];
    const counters = polled.flatMap(({ register }) => (register.kind === "counter" ? [register.name] : []));
    const refused = blocks.find((block) => block.state === "set-aside" && counters.includes(block.registers[0]!));
    if (refused !== undefined) return `${device}: ${refused.registers[0]} is set aside`;
  }
  return null;
}

/** Asked after the next boundary: the books are whole. */
export function whyNotWhole(zone: SimZone, books: BooksChecker): string | null {
  for (const agent of zone.agents) {
    for (const { device } of agent.meters) {
      const quantities = books.accounted(agent, device);
      if (quantities.length === 0) return `${agent.machine.name}/${device} was never defined`;
      for (const quantity of quantities) {
        const rows = books.rows(agent, device, quantity);
        const who = `${agent.machine.name}/${device} ${quantity}`;
        const last = rows.at(-1);
        if (last === undefined) return `${who}: nothing is booked`;
        const boundary_ms = Math.floor(agent.machine.wall_ms() / INTERVAL_MS) * INTERVAL_MS;
        if (last.to_ms < boundary_ms) return `${who}: booked to ${time(last.to_ms)}, not to ${time(boundary_ms)}`;
        const pending = rows.find((row) => row.verification === "pending");
        if (pending !== undefined) return `${who} ${time(pending.from_ms)} was not compared`;
        // What a damaged medium lost is no longer anywhere; the gateway says so (`Delivery/Loss`).
        const hole =
          agent.damages > 0
            ? undefined
            : rows.find((row, i) => i > 0 && isHole(agent, rows[i - 1]!.to_ms, row.from_ms));
        if (hole !== undefined) return `${who}: nothing before ${time(hole.from_ms)}`;
      }
    }
  }
  return null;
}

/** An interval that the gateway's clock went through, and that is not in its books. */
function isHole({ machine }: SimAgent, from_ms: number, to_ms: number): boolean {
  for (let at_ms = from_ms; at_ms < to_ms; at_ms += INTERVAL_MS) {
    const isShown = [at_ms, at_ms + INTERVAL_MS - 1].every((edge_ms) => machine.trueTimesOf(edge_ms).length > 0);
    if (isShown) return true;
  }
  return false;
}

function time(at_ms: number): string {
  return new Date(at_ms).toISOString();
}

import type { EndOfLife } from "../../hw-sim/world/machine.ts";
import { drawLength, type Episode } from "./episodes.ts";
import type { SimAgent, SimCollector, SimZone } from "./zone.ts";

/**
 * Backups that are restored: an episode begins with the backup and ends with it in the place of what was recorded since. They
 * have a stream of their own: what else is drawn stays what it was.
 */
export const BACKUPS = ["gateway-restored", "zone-restored"] as const;

/** An hour, on average. */
const PER_HOUR = 1.2;
const LONGEST_MS = 20 * 60_000;

export function drawBackups(
  zone: SimZone,
  span: { readonly from_ms: number; readonly to_ms: number; readonly kinds?: readonly string[] },
): readonly Episode[] {
  const kinds = BACKUPS.filter((kind) => span.kinds?.includes(kind) ?? true);
  const hours = (span.to_ms - span.from_ms) / 3_600_000;
  return kinds.flatMap((kind) => {
    const random = zone.world.random(kind);
    const count = Math.round(PER_HOUR * hours * random.between(0, 2));
    return Array.from({ length: count }, () => {
      const at_ms = random.between(span.from_ms, span.to_ms);
      const lasts_ms = Math.min(drawLength(random, LONGEST_MS), span.to_ms - at_ms);
      const how = random.pick(["process-killed", "power-cut"] as const);
      const { who, take } = kind === "gateway-restored" ? ofGateway(random.pick(zone.agents)) : ofZone(zone.collector);
      let putBack: ((how: EndOfLife) => void) | null = null;
      return {
        kind,
        who,
        what: `${kind}: ${who ?? "collector"} ${how}, then its backup`,
        at_ms,
        lasts_ms,
        jump_ms: 0,
        begin() {
          putBack = take();
        },
        end() {
          putBack?.(how);
          putBack = null;
        },
      };
    });
  });
}

interface BackedUp {
  /** The computer it hits; null = that of the zone. */
  readonly who: string | null;
  /** @returns what ends the process and begins another one on the backup */
  take(): (how: EndOfLife) => void;
}

function ofGateway(agent: SimAgent): BackedUp {
  return {
    who: agent.machine.name,
    take() {
      const backup = agent.disk.backup();
      return (how) => {
        agent.crash(how);
        agent.restore(backup);
        agent.start();
      };
    },
  };
}

function ofZone(collector: SimCollector): BackedUp {
  return {
    who: null,
    take() {
      const backup = collector.disk.backup();
      return (how) => {
        collector.crash(how);
        collector.restore(backup);
        collector.start();
      };
    },
  };
}

import type { DiskBackup } from "../../hw-sim/world/disk.ts";
import { drawLength, type Episode } from "./episodes.ts";
import type { SimZone } from "./zone.ts";

/**
 * Backups that are restored: an episode begins with the backup and ends with it in the place of what was recorded since. They
 * have a stream of their own: what else is drawn stays what it was.
 */
export const BACKUPS = ["gateway-restored"] as const;

/** An hour, on average. */
const PER_HOUR = 1.2;
const LONGEST_MS = 20 * 60_000;

export function drawBackups(
  zone: SimZone,
  span: { readonly from_ms: number; readonly to_ms: number; readonly kinds?: readonly string[] },
): readonly Episode[] {
  const random = zone.world.random("backups");
  if (span.kinds?.includes("gateway-restored") === false) return [];
  const hours = (span.to_ms - span.from_ms) / 3_600_000;
  const count = Math.round(PER_HOUR * hours * random.between(0, 2));
  return Array.from({ length: count }, () => {
    const agent = random.pick(zone.agents);
    const at_ms = random.between(span.from_ms, span.to_ms);
    const lasts_ms = Math.min(drawLength(random, LONGEST_MS), span.to_ms - at_ms);
    const how = random.pick(["process-killed", "power-cut"] as const);
    let backup: DiskBackup | null = null;
    return {
      kind: "gateway-restored",
      who: agent.machine.name,
      what: `gateway-restored: ${agent.machine.name} ${how}, then its backup`,
      at_ms,
      lasts_ms,
      jump_ms: 0,
      begin() {
        backup = agent.disk.backup();
      },
      end() {
        if (backup === null) return;
        agent.crash(how);
        agent.restore(backup);
        backup = null;
        agent.start();
      },
    };
  });
}

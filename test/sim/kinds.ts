import { BACKUPS } from "./backups.ts";
import { FAULTS } from "./episodes.ts";
import { METER_FAULTS } from "./meterFaults.ts";
import { RTU_LINES } from "./plan.ts";
import { WIRE_FAULTS } from "./wireFaults.ts";

/** Kinds of faults by what they befall. Each group draws from a stream of its own. */
export const GROUPS: Readonly<Record<string, readonly string[]>> = {
  machines: Object.keys(FAULTS),
  meters: Object.keys(METER_FAULTS),
  wire: Object.keys(WIRE_FAULTS),
  lines: [RTU_LINES],
  backups: BACKUPS,
};

export const KINDS: readonly string[] = Object.values(GROUPS).flat();

/** Names of kinds, and of groups for all their kinds. */
export function kindsNamed(names: readonly string[]): readonly string[] {
  return names.flatMap((name) => GROUPS[name] ?? [name]);
}

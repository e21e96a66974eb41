import type { StoredBatch, ZoneStore } from "../../../cloud/store/store.ts";
import { EMISSIONS_FOLDER, INTERVAL_FOLDER } from "../../../core/wire/content.ts";
import { decodePayload } from "../../../core/wire/payload.ts";
import { type SimAgent, type SimZone, ZONE } from "../zone.ts";

/**
 * Every poll is stored once: no content of a meter is held under two numbers. Of time that a clock which was set back showed twice
 * nothing is said: two polls may be alike then.
 */
export function checkStoredOnce({ agents, collector: { store }, findings }: SimZone): void {
  for (const agent of agents) {
    for (const { device } of agent.meters) {
      const twice = storedTwice(store, agent, device);
      if (twice !== null) findings.report("once", `${agent.machine.name}/${device}: ${twice}`);
    }
  }
}

/** Batches of a meter in a run of hours. */
const BATCHES_MAX = 1_000_000;

function storedTwice(store: ZoneStore, { machine, damages }: SimAgent, device: string): string | null {
  const leftOut = damages > 0 ? DERIVED : [];
  const gateway = { group: ZONE, edge: machine.name };
  const names = new Map<number, ReadonlyMap<number, string>>();
  const namesOf = (birthId: number): ReadonlyMap<number, string> => {
    const metrics = store.birth(birthId)?.metrics ?? [];
    return names.get(birthId) ?? new Map(metrics.map(({ alias, name }) => [alias ?? -1, name]));
  };
  const seen = new Map<string, StoredBatch>();
  for (const batch of store.batches(gateway, device, 0, Number.MAX_SAFE_INTEGER, BATCHES_MAX)) {
    const of = namesOf(batch.birthId);
    names.set(batch.birthId, of);
    const content = contentOf(batch, of, leftOut);
    const first = content === null ? undefined : seen.get(content);
    if (content !== null) seen.set(content, batch);
    if (first === undefined || machine.trueTimesOf(batch.from_ms).length > 1) continue;
    const at = new Date(batch.from_ms).toISOString();
    return `what was read at ${at} is batch ${first.number} of ${first.epoch} and ${batch.number} of ${batch.epoch}`;
  }
  return null;
}

/** Derived once more from the same readings, by a journal that is an older one or lost some, is no second poll. */
const DERIVED = [INTERVAL_FOLDER, EMISSIONS_FOLDER];

/** Names, times and values, without these folders; null for a batch that holds nothing else. */
function contentOf(
  { payload }: StoredBatch,
  names: ReadonlyMap<number, string>,
  leftOut: readonly string[],
): string | null {
  const metrics = decodePayload(payload).metrics.flatMap(({ alias, name: given, timestamp_ms, ...value }) => {
    const name = given ?? names.get(alias ?? -1);
    if (leftOut.some((folder) => name?.startsWith(folder))) return [];
    const text = [value.isNull, value.intValue, value.longValue, value.doubleValue, value.stringValue].join(" ");
    return [`${name} ${timestamp_ms} ${text}`];
  });
  return metrics.length === 0 ? null : metrics.sort().join("\n");
}

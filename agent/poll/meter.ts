import type { DeviceDefinition } from "../../core/model/deviceDefinition.ts";
import type { Bus, BusReply } from "../../core/ports.ts";
import type { EpochMs, Sample } from "../../core/reading/reading.ts";
import type { BlockRead, PollGroup } from "../../drivers/modbus/planner.ts";

/** One meter on a bus: what to read and when it is due. Times are domain time. */
export interface PolledMeter {
  readonly definition: DeviceDefinition;
  readonly unit: number;
  readonly groups: readonly PollGroup[];
  readonly timeout_ms: number;
  /** Next due instant of each group, aligned to the wall clock. */
  readonly due_ms: number[];
  /** Polls in a row that brought no word; 0 = answering. */
  silentPolls: number;
}

/** A meter that does not answer is asked again after 2, 4, 8 … of its periods, at most this long. */
export const BACKOFF_MAX_MS = 60_000;

export function polledMeter(
  definition: DeviceDefinition,
  unit: number,
  groups: readonly PollGroup[],
  timeout_ms: number,
): PolledMeter {
  return { definition, unit, groups, timeout_ms, due_ms: groups.map(() => Number.NEGATIVE_INFINITY), silentPolls: 0 };
}

/**
 * Blocks that are due at `at_ms`; and when they fall due next. Polls that were missed are not made up for. A due time
 * further off than any wait there is was set before the clock went back: it has no meaning any more.
 */
export function takeDue(meter: PolledMeter, at_ms: EpochMs): BlockRead[] {
  const blocks: BlockRead[] = [];
  meter.groups.forEach((group, i) => {
    const wait_ms = (meter.due_ms[i] ?? 0) - at_ms;
    if (wait_ms > 0 && wait_ms <= Math.max(group.every_ms, BACKOFF_MAX_MS)) return;
    meter.due_ms[i] = Math.floor(at_ms / group.every_ms) * group.every_ms + group.every_ms;
    blocks.push(...group.blocks);
  });
  return blocks;
}

/** The earliest instant any group of the meter is due. */
export function nextDue_ms(meter: PolledMeter): EpochMs {
  return Math.min(...meter.due_ms);
}

/**
 * Reads blocks one after another. A timeout ends the poll: a silent meter costs its bus one timeout, not one per block;
 * the blocks not asked for count as failed for the same reason.
 */
export async function pollMeter(
  bus: Bus,
  meter: PolledMeter,
  blocks: readonly BlockRead[],
  now: { now_ms(): EpochMs; mono_ms(): number },
): Promise<Sample> {
  const mono_ms = now.mono_ms();
  const read: Sample["blocks"][number][] = [];
  const failures: Sample["failures"][number][] = [];
  let at_ms = now.now_ms();
  for (const [i, { fc, address, count }] of blocks.entries()) {
    const reply = await bus.read({ unit: meter.unit, fc, address, count, timeout_ms: meter.timeout_ms });
    if (reply.kind === "words") {
      if (read.length === 0) at_ms = now.now_ms();
      read.push({ fc, address, words: reply.words });
      continue;
    }
    const asked = isSilence(reply) ? blocks.slice(i) : [blocks[i]!];
    for (const block of asked) failures.push({ ...failureOf(block, reply) });
    if (isSilence(reply)) break;
  }
  noteAnswer(meter, read.length > 0 || failures.some((f) => f.why === "exception"), at_ms);
  return { device: meter.definition.device, at_ms, mono_ms, blocks: read, failures };
}

function isSilence(reply: BusReply): boolean {
  return reply.kind === "timeout" || reply.kind === "unreachable";
}

function failureOf({ fc, address, count }: BlockRead, reply: Exclude<BusReply, { kind: "words" }>) {
  return reply.kind === "exception"
    ? { fc, address, count, why: reply.kind, detail: reply.code }
    : { fc, address, count, why: reply.kind };
}

function noteAnswer(meter: PolledMeter, hasAnswered: boolean, at_ms: EpochMs): void {
  if (hasAnswered) {
    meter.silentPolls = 0;
    return;
  }
  meter.silentPolls += 1;
  meter.groups.forEach((group, i) => {
    const wait_ms = Math.min(group.every_ms * 2 ** Math.min(meter.silentPolls, 16), BACKOFF_MAX_MS);
    meter.due_ms[i] = Math.max(meter.due_ms[i] ?? 0, at_ms + wait_ms);
  });
}

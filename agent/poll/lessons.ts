import type { BusReply, Log } from "../../core/ports.ts";
import type { EpochMs } from "../../core/reading/reading.ts";
import type { BlockRead } from "../../drivers/modbus/planner.ts";
import { answered, isRefusal, type Plan, refused, saveLearned } from "./learn.ts";
import type { PollJob } from "./meter.ts";
import type { PolledMeter } from "./polledMeter.ts";
import { refusalWords } from "./words.ts";

/** Reads a poll may make beyond its plan to find culprits. */
const SPLITS_PER_POLL = 16;
/** Timeouts of one block, while its meter answers others, until the block is to blame. */
const TIMEOUTS_MAX = 3;

const NOTHING: readonly BlockRead[] = [];

export interface Lessons {
  readonly log: Log;
  /** The plan of a meter changed by what its answers taught: text to keep and to give to `Found.learned` next time. */
  readonly onLearned: (device: string, text: string) => void;
}

/** What the reply teaches about the plan; @returns what to ask for at once instead. */
export function learn(
  lessons: Lessons,
  meter: PolledMeter,
  job: PollJob,
  block: BlockRead,
  reply: BusReply,
  now_ms: EpochMs,
): readonly BlockRead[] {
  const plan = meter.plan!;
  if (reply.kind === "words") {
    adopt(lessons, meter, answered(plan, block, now_ms));
    return NOTHING;
  }
  if (reply.kind === "timeout" && job.hasWords) {
    if (meter.noteTimeout(block) < TIMEOUTS_MAX) return NOTHING;
    adopt(lessons, meter, refused(plan, block, { kind: "timeout" }, now_ms).plan);
    return NOTHING;
  }
  if (reply.kind !== "exception" || !isRefusal(reply.code)) return NOTHING;
  const step = refused(plan, block, { kind: "exception", code: reply.code }, now_ms);
  adopt(lessons, meter, step.plan);
  meter.jobSplits += step.next.length;
  return meter.jobSplits <= SPLITS_PER_POLL ? step.next : NOTHING;
}

function adopt({ log, onLearned }: Lessons, meter: PolledMeter, plan: Plan): void {
  const before = meter.plan!;
  if (plan === before) return;
  meter.replan(plan);
  if (plan.learned === before.learned || meter.definition === null) return;
  const { device } = meter.of;
  for (const { register, why, tries } of plan.learned.aside) {
    if (tries > 1 || before.learned.aside.some((one) => one.register === register)) continue;
    log.warn("meter.register-set-aside", {
      device,
      register: register.name,
      address: register.address,
      why: refusalWords(why),
      code: "METER_EXCEPTION",
    });
  }
  for (const { register } of before.learned.aside) {
    if (plan.learned.aside.some((one) => one.register === register)) continue;
    log.info("meter.register-back", { device, register: register.name });
  }
  onLearned(device, saveLearned(plan, meter.definition));
}

import type { EpochMs } from "../../core/reading/reading.ts";
import { type Backoff, isHeld } from "./backoff.ts";
import type { Plan } from "./learn.ts";
import type { PolledMeter } from "./polledMeter.ts";
import type { Setting } from "./settingsWatch.ts";
import { refusalWords } from "./words.ts";

/**
 * What the gateway knows of its lines and meters, for the gateway's page, `/health` and `/metrics`. Instants are domain time,
 * durations are measured on the monotonic clock.
 */
export interface BusStatus {
  /** Id of the bus in the configuration; of the first one where several name the same address: they share one connection. */
  readonly id: string;
  /** Ids of further configured buses at the same address. */
  readonly sharedWith: readonly string[];
  /** As the configuration writes it, e.g. `tcp://192.168.1.5:502`. */
  readonly url: string;
  /** Share of the last ten seconds that the line was in use; 0 before anything was measured. */
  readonly load_pct: number;
  /** The shortest period any meter of the bus is polled with. */
  readonly cycle_ms: number;
  /** Line time that a cycle asks for on average, from the measured duration of every exchange. Above `available_ms` = overload. */
  readonly needed_ms: number;
  /** Line time there is in a cycle. */
  readonly available_ms: number;
  /** Polls that were left out because the line was still busy when the next one fell due, since the start. */
  readonly overruns: number;
  /** Polls were left out within the last minute. */
  readonly isOverloaded: boolean;
  /** Until when nothing on this line is asked because it cannot be reached; null while it can. */
  readonly backoffUntil_ms: EpochMs | null;
  readonly meters: readonly MeterStatus[];
}

export interface MeterStatus {
  /** Meter id of the configuration. */
  readonly device: string;
  readonly unit: number;
  /** Id of the meter model. */
  readonly model: string;
  readonly isAnswering: boolean;
  readonly lastError: {
    /** In words, e.g. `no answer within 1000 ms`, `exception 2 (illegal data address) at 40001, 60 registers`. */
    readonly words: string;
    readonly at_ms: EpochMs;
  } | null;
  /** Last time the meter gave words; null = not since the start. */
  readonly lastAnswer_ms: EpochMs | null;
  /** The meter does not answer, or cannot be used, and is left alone until then; null = it is polled at its periods. */
  readonly backoffUntil_ms: EpochMs | null;
  /** Line time of its last poll, all blocks together; null before the first. */
  readonly lastPollDuration_ms: number | null;
  /** Transformer ratios, modes and identity, as the meter tells them. */
  readonly settings: readonly Setting[];
  /** Empty until the map of a meter with `discovery` was found. */
  readonly blocks: readonly BlockStatus[];
}

/** One block read of the plan as it is now, or one register that was set aside. */
export type BlockStatus = BlockSpan & (BlockOk | BlockSetAside);

export interface BlockSpan {
  readonly fc: 3 | 4;
  /** 0-based, as on the wire. */
  readonly address: number;
  readonly count: number;
  /** Names of the registers it is read for. */
  readonly registers: readonly string[];
  readonly every_ms: number;
}

export interface BlockOk {
  readonly state: "ok";
  /** Smoothed duration of its exchange; null before the first answer. */
  readonly exchange_ms: number | null;
}

export interface BlockSetAside {
  readonly state: "set-aside";
  /** In words, e.g. `exception 2 (illegal data address)`. */
  readonly why: string;
  readonly since_ms: EpochMs;
  readonly retryAt_ms: EpochMs;
}

export function meterStatus(meter: PolledMeter, held: Backoff | undefined, now_ms: EpochMs): MeterStatus {
  const { device, unit, model } = meter.of;
  return {
    device,
    unit,
    model,
    isAnswering: meter.isAnswering,
    lastError: meter.lastError,
    lastAnswer_ms: meter.lastAnswer_ms,
    backoffUntil_ms: restsUntil_ms(meter, held, now_ms),
    lastPollDuration_ms: meter.lastPollDuration_ms,
    settings: meter.settings?.settings ?? [],
    blocks: meter.plan === null ? [] : blockStatuses(meter, meter.plan),
  };
}

function restsUntil_ms(meter: PolledMeter, held: Backoff | undefined, now_ms: EpochMs): EpochMs | null {
  if (isHeld(held, now_ms)) return held.until_ms;
  if (isHeld(meter.failed, now_ms)) return meter.failed.until_ms;
  return meter.plan === null && meter.findAt_ms > now_ms ? meter.findAt_ms : null;
}

function blockStatuses(meter: PolledMeter, plan: Plan): readonly BlockStatus[] {
  const asked = plan.groups.flatMap(({ every_ms, blocks }) =>
    blocks.map((block): BlockStatus => {
      const { fc, address, count, registers } = block;
      const names = registers.map(({ name }) => name);
      return { fc, address, count, registers: names, every_ms, state: "ok", exchange_ms: meter.blockTook_ms(block) };
    }),
  );
  const aside = plan.learned.aside.map(({ register, every_ms, why, since_ms, retryAt_ms }): BlockStatus => {
    const { fc, address, words: count, name } = register;
    const reason = { state: "set-aside", why: refusalWords(why), since_ms, retryAt_ms } as const;
    return { fc, address, count, registers: [name], every_ms, ...reason };
  });
  return [...asked, ...aside];
}

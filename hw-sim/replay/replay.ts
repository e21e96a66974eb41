import { KhuXanhError } from "../../core/errors.ts";
import type { MeterModel } from "../../core/model/meterModel.ts";
import type { Clock, Timers } from "../../core/ports.ts";
import type { Readable } from "../bus/answer.ts";
import { faultBook } from "../faults/faultBook.ts";
import { openLine } from "../lines/openLine.ts";
import { ILLEGAL_DATA_ADDRESS, ILLEGAL_DATA_VALUE } from "../meters/addressSpace.ts";
import type { SimListen } from "../simConfig.ts";
import type { CaptureRow } from "./capture.ts";

/** A recorded meter as one that can be read again. */
export interface ReplayedDevice extends Readable {
  /** Addresses that hold a word, over both functions. */
  readonly values: number;
  has(fc: 3 | 4, address: number): boolean;
}

const SECOND_MS = 1000;

/**
 * The words of one device. A register that was recorded several times shows each value from its time on, counted from
 * `start_ms`; the last one stays. What was never recorded is exception 2, or the exception that was recorded for that read;
 * with a model also what goes beyond its limits, and gaps it allows to read across are 0.
 */
export function replayed(rows: readonly CaptureRow[], model: MeterModel | null, start_ms: number): ReplayedDevice {
  const words = new Map<number, { readonly after_ms: number; readonly word: number }[]>();
  const refusals = new Map<string, number>();
  for (const { fc, address, after_ms, said } of rows) {
    if (said.kind === "exception") refusals.set(`${fc}/${address}/${said.count}`, said.code);
    else {
      said.words.forEach((word, i) => {
        const course = words.get(keyOf(fc, address + i)) ?? [];
        course.push({ after_ms: after_ms ?? course.length * SECOND_MS, word });
        words.set(keyOf(fc, address + i), course);
      });
    }
  }
  for (const course of words.values()) course.sort((a, b) => a.after_ms - b.after_ms);
  const gapMax = model?.limits.max_gap ?? 0;
  return {
    values: words.size,
    has: (fc, address) => words.has(keyOf(fc, address)),
    read(fc, address, count, at_ms) {
      const limits = model?.limits;
      if (
        limits !== undefined &&
        (count > limits.max_registers_per_read || (limits.count_must_be_even && count % 2 === 1))
      ) {
        return { exception: ILLEGAL_DATA_VALUE };
      }
      const out = new Uint16Array(count);
      let gap = 0;
      for (let i = 0; i < count; i++) {
        const course = words.get(keyOf(fc, address + i));
        if (course === undefined) {
          gap += 1;
          if (i === 0 || i === count - 1 || gap > gapMax) {
            return { exception: refusals.get(`${fc}/${address}/${count}`) ?? ILLEGAL_DATA_ADDRESS };
          }
          continue;
        }
        gap = 0;
        out[i] = (course.findLast(({ after_ms }) => after_ms <= at_ms - start_ms) ?? course[0]!).word;
      }
      return out;
    },
  };
}

function keyOf(fc: 3 | 4, address: number): number {
  return fc * 65_536 + address;
}

export interface ReplayOptions {
  readonly listen: SimListen;
  /** null = as recorded, else 1. */
  readonly firstUnit: number | null;
  readonly model: MeterModel | null;
  readonly clock: Clock;
  readonly timers: Timers;
}

export interface RunningReplay {
  readonly url: string;
  readonly port: number;
  readonly devices: readonly {
    readonly unit: number;
    readonly device: string;
    /** Words it holds. */
    readonly values: number;
    /** Registers of the model that it lacks; null without a model. */
    readonly missing: number | null;
  }[];
  close(): Promise<void>;
}

/** @throws {KhuXanhError} CONFIG_INVALID (units that do not fit a line), and as `openLine`. */
export async function startReplay(capture: readonly CaptureRow[], options: ReplayOptions): Promise<RunningReplay> {
  const { listen, firstUnit, model, clock, timers } = options;
  const start_ms = clock.now_ms();
  const devices = new Map<number, { device: string; meter: ReplayedDevice }>();
  let next = firstUnit ?? 1;
  for (const [key, rows] of Map.groupBy(capture, ({ device, unit }) => `${unit ?? ""}/${device}`)) {
    const recorded = firstUnit === null ? rows[0]!.unit : null;
    const unit = recorded ?? next++;
    if (devices.has(unit) || unit > 247) {
      throw new KhuXanhError("CONFIG_INVALID", `the capture holds two devices for unit ${unit} (${key})`, {
        hint: "Give --unit: devices then take the numbers from there on.",
      });
    }
    devices.set(unit, { device: rows[0]!.device, meter: replayed(rows, model, start_ms) });
  }
  const meters = new Map([...devices].map(([unit, { meter }]) => [unit, meter]));
  const book = faultBook({
    seed: 0,
    lines: [{ units: new Set(meters.keys()), hasConnections: listen.kind !== "rtu" }],
  });
  const line = await openLine(listen, { meters, clock, timers, faults: book, line: 0 });
  return {
    url: line.url,
    port: line.port,
    devices: [...devices].map(([unit, { device, meter }]) => ({
      ...{ unit, device, values: meter.values },
      missing: model === null ? null : model.registers.filter(({ fc, address }) => !meter.has(fc, address)).length,
    })),
    close: () => line.close(),
  };
}

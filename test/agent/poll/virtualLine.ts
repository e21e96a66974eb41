import { BusWorker } from "../../../agent/poll/busWorker.ts";
import type { Found, WorkerMeter } from "../../../agent/poll/polledMeter.ts";
import type { BusStatus } from "../../../agent/poll/status.ts";
import type { DeviceDefinition } from "../../../core/model/deviceDefinition.ts";
import type { ModelLimits, Register } from "../../../core/model/meterModel.ts";
import type { Bus, BusRead, BusReply, Clock, OwedReplies } from "../../../core/ports.ts";
import type { Sample } from "../../../core/reading/reading.ts";
import { SERIAL_COST } from "../../../drivers/modbus/planner.ts";
import { define, register } from "../../drivers/devices.ts";
import { recordingLog } from "../../recordingLog.ts";

/** What a unit does with a request at this instant, and how long it takes, ms. */
export type Unit = (request: BusRead, at_ms: number) => { readonly reply: BusReply; readonly took_ms: number };

export const words = (request: BusRead): BusReply => ({ kind: "words", words: new Uint16Array(request.count) });
export const quick: Unit = (request) => ({ reply: words(request), took_ms: 5 });
export const slow: Unit = (request) => ({ reply: words(request), took_ms: 900 });
export const silent: Unit = ({ timeout_ms }) => ({ reply: { kind: "timeout" }, took_ms: timeout_ms });
export const garbling: Unit = () => ({ reply: { kind: "garbled", detail: "bad CRC" }, took_ms: 5 });
export const throwing =
  (code: number): Unit =>
  () => ({ reply: { kind: "exception", code }, took_ms: 5 });

/** 2025-10-09 15:00:00 at UTC+7: the start of a quarter of an hour. */
export const T = 1_760_000_400_000;

export interface VirtualMeter {
  readonly unit: number;
  readonly behaves: Unit;
  readonly power_ms?: number;
  readonly energy_ms?: number;
  readonly timeout_ms?: number;
  readonly registers?: readonly Register[];
  readonly learned?: string;
  readonly settings?: string;
  readonly min_gap_ms?: number;
  /** Its map must be found by a read that is answered. */
  readonly mustBeFound?: true;
  /** Looked for, it makes us fail. */
  readonly breaks?: () => Error | null;
}

export interface Asked {
  readonly unit: number;
  readonly address: number;
  readonly count: number;
  readonly at_ms: number;
}

/** Power at 0, energy at 100: two blocks. */
export const POWER = register({ name: "p", type: "f32", address: 0, quantity: "active_power_total", unit: "W" });
export const ENERGY = register({
  name: "e",
  type: "u32",
  address: 100,
  quantity: "active_energy_import_total",
  unit: "Wh",
  kind: "counter",
});
const LIMITS: ModelLimits = { max_registers_per_read: 125, count_must_be_even: false, max_gap: 0 };

/** A worker on a scripted line in virtual time: an exchange moves the clock by what it takes. */
export class VirtualLine {
  at_ms: number;
  isClosed = false;
  readonly asked: Asked[] = [];
  readonly samples: Sample[] = [];
  readonly learned = new Map<string, string>();
  readonly settings = new Map<string, string>();
  readonly answering: string[] = [];
  readonly log = recordingLog();
  readonly worker: BusWorker;
  readonly #behaves: Map<number, Unit>;
  #jumped_ms = 0;
  #end_ms = 0;
  #park_ms = 0;
  #park: () => void = () => {};
  #goOn: () => void = () => {};

  constructor(meters: readonly VirtualMeter[], from_ms = T, url = "tcp://test:502", owed?: OwedReplies) {
    this.at_ms = from_ms;
    this.#behaves = new Map(meters.map(({ unit, behaves }) => [unit, behaves]));
    const clock: Clock = { now_ms: () => this.at_ms, mono_ms: () => this.at_ms - T - this.#jumped_ms };
    const bus: Bus = {
      ...(owed === undefined ? {} : { owed }),
      read: async (request) => {
        await this.#untilRunning();
        const { unit, address, count } = request;
        this.asked.push({ unit, address, count, at_ms: this.at_ms });
        const { reply, took_ms } = this.#behaves.get(unit)!(request, this.at_ms);
        this.at_ms += took_ms;
        return reply;
      },
      close: async () => {
        this.isClosed = true;
      },
    };
    this.worker = new BusWorker({
      id: "line",
      sharedWith: [],
      url,
      bus,
      clock,
      log: this.log,
      pause: async (length_ms) => {
        this.at_ms += length_ms;
      },
      meters: meters.map(workerMeter),
      onSample: (_device, sample) => this.samples.push(sample),
      onLearned: (device, text) => this.learned.set(device, text),
      onSettings: (device, text) => this.settings.set(device, text),
      onAnswering: (device, isAnswering) => this.answering.push(`${device} ${isAnswering ? "answers" : "silent"}`),
    });
  }

  behave(unit: number, behaves: Unit): void {
    this.#behaves.set(unit, behaves);
  }

  /** Sets the wall clock; the monotonic one goes on. */
  jump(by_ms: number): void {
    this.at_ms += by_ms;
    this.#jumped_ms += by_ms;
  }

  /** Beats every `tick_ms` for this long, aligned to the wall clock as the gateway does. */
  async run(length_ms: number, tick_ms = 1000): Promise<void> {
    this.#end_ms = this.at_ms + length_ms;
    this.#park_ms = this.#end_ms + tick_ms;
    const parked = new Promise<void>((resolve) => {
      this.#park = resolve;
    });
    this.#goOn();
    for (;;) {
      const beat_ms = Math.floor(this.at_ms / tick_ms) * tick_ms + tick_ms;
      if (beat_ms > this.#end_ms) return;
      this.at_ms = beat_ms;
      await Promise.race([this.worker.wake(), parked]);
    }
  }

  /** A line that is never idle is halted a beat after the run's end, and goes on with the next one. */
  async #untilRunning(): Promise<void> {
    while (this.at_ms >= this.#park_ms) {
      const goesOn = new Promise<void>((resolve) => {
        this.#goOn = resolve;
      });
      this.#park();
      await goesOn;
    }
  }

  /** Drops what was asked before this instant. */
  forgetAsked(before_ms: number): void {
    const kept = this.asked.filter(({ at_ms }) => at_ms >= before_ms);
    this.asked.splice(0, this.asked.length, ...kept);
  }

  status(): BusStatus {
    return this.worker.status();
  }

  /** When each poll of a unit began: reads of its power block. */
  beganAt(unit: number, address = 0): readonly number[] {
    return this.asked.filter((one) => one.unit === unit && one.address === address).map(({ at_ms }) => at_ms);
  }
}

function workerMeter(meter: VirtualMeter): WorkerMeter {
  const { unit, power_ms = 1000, energy_ms = 10_000, timeout_ms = 1000, learned = null, settings = null } = meter;
  const device = `m${unit}`;
  const definition: DeviceDefinition = {
    ...define([]),
    device,
    registers: (meter.registers ?? [POWER, ENERGY]).map((one) => ({
      register: one,
      every_ms: one.kind === "counter" ? energy_ms : one.kind === "gauge" ? power_ms : 86_400_000,
    })),
  };
  const found: Found = {
    kind: "found",
    definition,
    limits: LIMITS,
    cost: SERIAL_COST,
    learned,
    settings,
    isWhole: true,
  };
  return {
    device,
    unit,
    timeout_ms,
    model: "test-model",
    min_gap_ms: meter.min_gap_ms ?? 0,
    every_ms: Math.min(power_ms, energy_ms),
    map: meter.mustBeFound === undefined ? found : (bus) => find(bus, meter, timeout_ms, found),
  };
}

async function find(bus: Bus, { unit, breaks }: VirtualMeter, timeout_ms: number, found: Found) {
  const error = breaks?.() ?? null;
  if (error !== null) throw error;
  const { kind } = await bus.read({ unit, fc: 3, address: 40_000, count: 2, timeout_ms });
  return kind === "words" ? found : ({ kind: "unknown", why: kind } as const);
}

/** Times between neighbours. */
export function gaps(at_ms: readonly number[]): readonly number[] {
  return at_ms.slice(1).map((one, i) => one - at_ms[i]!);
}

import { SimBroker } from "./broker.ts";
import { Machine } from "./machine.ts";
import { Network } from "./mqttClient.ts";
import type { Latency } from "./pipe.ts";
import { type Stream, stream } from "./random.ts";
import { Scheduler, type Settle } from "./scheduler.ts";
import { Trace } from "./trace.ts";

/**
 * A world in virtual time: machines with their clocks, a broker, the network between them, and chance - all from one seed.
 * It only implements ports; who runs on its machines is put together by `test/sim` and `cli`.
 */
export interface World {
  readonly seed: number;
  readonly scheduler: Scheduler;
  readonly trace: Trace;
  readonly broker: SimBroker;
  readonly network: Network;
  /** The machine of this name; made when first asked for. */
  machine(name: string): Machine;
  /** A random stream for a component of this name. */
  random(name: string): Stream;
  /** True wall time now, ms since the epoch: what meters live by. */
  true_ms(): number;
}

export interface WorldOptions {
  readonly seed: number;
  /** True wall time at the beginning, ms since the epoch. */
  readonly origin_ms: number;
  readonly settle: Settle;
  readonly latency?: Latency;
}

/** A factory's line to the zone: some milliseconds. */
const LATENCY: Latency = { least_ms: 2, most_ms: 20 };

export function createWorld({ seed, origin_ms, settle, latency = LATENCY }: WorldOptions): World {
  const scheduler = new Scheduler(settle);
  const trace = new Trace(() => scheduler.now_ms);
  trace.note(`seed ${seed}`);
  const random = (name: string): Stream => stream(seed, name);
  const broker = new SimBroker(scheduler, random("broker"), trace);
  const network = new Network({ scheduler, broker, random: random("network"), latency });
  const machines = new Map<string, Machine>();
  return {
    seed,
    scheduler,
    trace,
    broker,
    network,
    machine(name) {
      let machine = machines.get(name);
      if (machine === undefined) {
        machine = new Machine(name, { scheduler, seed, origin_ms });
        machines.set(name, machine);
      }
      return machine;
    },
    random,
    true_ms: () => origin_ms + scheduler.now_ms,
  };
}

import type { Cancel } from "../../core/ports.ts";
import { openSerialStream, SERIAL_TICK_MS, type SerialSettings, type SerialStream } from "./serialPort.ts";
import { type Connection, connectSocket, type Destination } from "./socketPort.ts";

/**
 * What the client has of the machine it runs on: transport time, and bytes to and from the far side. A simulated world hands in
 * its own (`hw-sim/world/rtuLine.ts`); `test/contract/bus.ts` runs on both.
 */
export interface BusMachine {
  mono_ms(): number;
  after(delay_ms: number, run: () => void): Cancel;
  /** Runs when bytes that have come by now were heard: a process that was stalled finds its timers expired before it reads. */
  afterInput(run: () => void): void;
  /** As long as a serial line is listened to. */
  keepAwake(): Cancel;
  /** @throws as {@link openSerialStream} */
  openStream(settings: SerialSettings): Promise<SerialStream>;
  /** @throws as {@link connectSocket} */
  connect(to: Destination, timeout_ms: number, abort: AbortSignal): Promise<Connection>;
}

export const SYSTEM: BusMachine = {
  mono_ms: () => performance.now(),
  after(delay_ms, run) {
    const timer = setTimeout(run, delay_ms);
    return () => clearTimeout(timer);
  },
  afterInput: (run) => void setImmediate(run),
  keepAwake() {
    const tick = setInterval(() => {}, SERIAL_TICK_MS);
    return () => clearInterval(tick);
  },
  openStream: openSerialStream,
  connect: connectSocket,
};

import type { CarrierId } from "../../core/emission/carriers.ts";
import { noteFailure, openAccount, takeReading } from "../../core/interval/counterAccount.ts";
import type { CounterWords, Interval } from "../../core/interval/interval.ts";
import { defineDevice } from "../../drivers/define.ts";
import { compileDefinition } from "../../drivers/modbus/decode.ts";
import { planReads } from "../../drivers/modbus/planner.ts";
import type { FaultyMeter } from "../../hw-sim/faults/meterFaults.ts";
import type { SimMeter } from "../../hw-sim/meters/simMeter.ts";
import { type BookInterval, bookOf } from "./books.ts";

/** Any reader of registers: a meter, or one with faults. */
type Readable = Pick<SimMeter, "read"> | Pick<FaultyMeter, "read">;

export interface Reader {
  readonly meter: SimMeter;
  readonly carrier: CarrierId;
  readonly from_ms: number;
  readonly to_ms: number;
  readonly poll_ms: number;
  /** Polls of this time fail. */
  readonly isSilent?: (at_ms: number) => boolean;
  readonly through?: Readable;
  readonly m3_per_count?: number;
}

export const INTERVAL_ms = 900_000;

/** The books a gateway makes of a meter: the project's own planner, decoder and interval engine, polled by the clock. */
export function booksOf(reader: Reader): readonly BookInterval[] {
  const { meter, carrier, poll_ms, m3_per_count } = reader;
  const definition = defineDevice(
    meter.model,
    {
      id: meter.name,
      carrier,
      role: "import",
      parent: null,
      every: { power_ms: poll_ms, energy_ms: poll_ms },
      ...(m3_per_count === undefined ? {} : { m3_per_count }),
    },
    { interval_ms: INTERVAL_ms, time_zone: "Asia/Ho_Chi_Minh" },
  );
  const quantities = new Set(definition.counters.map(({ quantity }) => quantity));
  const counters = definition.registers.filter(({ register }) => quantities.has(register.quantity!));
  const reads = planReads(counters, meter.model.limits);
  const decoder = compileDefinition(definition);
  const accounts = definition.counters.map((one) => openAccount(meter.name, one, INTERVAL_ms, definition.time_zone));
  const closed: Interval[] = [];
  for (let at_ms = reader.from_ms; at_ms <= reader.to_ms; at_ms += poll_ms) {
    if (reader.isSilent?.(at_ms) === true) {
      for (const account of accounts) noteFailure(account, "meter-silent");
      continue;
    }
    const blocks = reads.flatMap(({ fc, address, count }) => {
      const words = (reader.through ?? meter).read(fc, address, count, at_ms);
      return words instanceof Uint16Array ? [{ fc, address, words }] : [];
    });
    const readings = decoder.decode({ device: meter.name, at_ms, mono_ms: at_ms, blocks, failures: [] });
    for (const account of accounts) {
      const reading = readings.find(({ quantity }) => quantity === account.definition.quantity);
      if (typeof reading?.value !== "bigint") {
        noteFailure(account, "bad-values");
        continue;
      }
      const { register } = counters.find((one) => one.register.quantity === account.definition.quantity)!;
      const words: CounterWords = {
        fc: register.fc,
        address: register.address,
        hex: [...((reader.through ?? meter).read(register.fc, register.address, register.words, at_ms) as Uint16Array)]
          .map((word) => word.toString(16).padStart(4, "0"))
          .join(""),
        at_ms,
      };
      closed.push(...takeReading(account, { at_ms, count: reading.value, meterSerial: null }, words));
    }
  }
  return closed.map((interval) => bookOf(meter.name, interval));
}

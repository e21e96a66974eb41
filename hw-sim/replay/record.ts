import type { Register } from "../../core/model/meterModel.ts";
import type { Bus, BusRead, BusReply } from "../../core/ports.ts";
import type { RecordedRow } from "./capture.ts";

/** What was asked and what came. */
export interface RecordedExchange {
  readonly request: BusRead;
  readonly reply: BusReply;
  readonly at_ms: number;
}

/** A bus that keeps what passes through it. */
export function recordingBus(bus: Bus, now_ms: () => number, kept: RecordedExchange[]): Bus {
  return {
    async read(request) {
      const reply = await bus.read(request);
      kept.push({ request, reply, at_ms: now_ms() });
      return reply;
    },
    close: () => bus.close(),
  };
}

/** A register with the value that was read from it, as the model says it. */
export interface NamedRegister {
  readonly register: Register;
  readonly value: number | string | null;
}

/**
 * Exchanges as rows of a capture: one a register that the model knows, one for each run of other words, one a refusal. What got
 * no answer leaves no row: it is silent on replay too, or refused.
 */
export function captureRows(
  exchanges: readonly RecordedExchange[],
  named: readonly NamedRegister[],
  device: string,
): readonly RecordedRow[] {
  return exchanges.flatMap(({ request, reply, at_ms }): RecordedRow[] => {
    const { unit, fc, address, count } = request;
    const common = { at_ms, device, unit, fc, quantity: "", unitText: "", value: "" };
    if (reply.kind === "exception")
      return [{ ...common, address, said: { kind: "exception", count, code: reply.code } }];
    if (reply.kind !== "words") return [];
    const rows: RecordedRow[] = [];
    const row = (from: number, to: number, more: Partial<RecordedRow> = {}): void => {
      const words = [...reply.words.subarray(from, to)];
      if (words.length > 0) rows.push({ ...common, address: address + from, said: { kind: "words", words }, ...more });
    };
    let done = 0;
    for (const { register, value } of inside(named, request)) {
      const from = register.address - address;
      if (from < done) continue;
      row(done, from);
      done = from + register.words;
      row(from, done, {
        quantity: register.quantity ?? register.name,
        unitText: register.unit,
        value: value === null ? "" : String(value),
      });
    }
    row(done, count);
    return rows;
  });
}

function inside(named: readonly NamedRegister[], { fc, address, count }: BusRead): readonly NamedRegister[] {
  return named
    .filter(
      ({ register }) =>
        register.fc === fc && register.address >= address && register.address + register.words <= address + count,
    )
    .toSorted((a, b) => a.register.address - b.register.address);
}

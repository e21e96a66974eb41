import type { BusConfig } from "../../config/files/agent.ts";
import type { MeterModel } from "../../core/model/meterModel.ts";
import { costOn, type ReadCost, SERIAL_COST } from "../../drivers/modbus/planner.ts";

/** The address of a bus as the configuration writes it, defaults filled in; the same text = the same line. */
export function lineAddress({ url }: Pick<BusConfig, "url">): string {
  if (url.kind === "rtu") return `rtu://${url.path}?baud=${url.baud}&parity=${url.parity}&stop=${url.stop_bits}`;
  const host = url.host.includes(":") ? `[${url.host}]` : url.host.toLowerCase();
  return `${url.kind}://${host}:${url.port}`;
}

/** Buses of one address share a line, however often the configuration lists it: many devices accept one connection only. */
export function linesOf(buses: readonly BusConfig[]): ReadonlyMap<string, readonly BusConfig[]> {
  const lines = new Map<string, BusConfig[]>();
  for (const bus of buses) {
    const address = lineAddress(bus);
    const known = lines.get(address);
    if (known === undefined) lines.set(address, [bus]);
    else known.push(bus);
  }
  return lines;
}

/** What reads of a meter cost on its line. Behind a TCP address there is often a serial line of unknown speed: it is taken for an ordinary one. */
export function readCost(url: BusConfig["url"], { timing }: Pick<MeterModel, "timing">): ReadCost {
  return url.kind === "rtu" ? costOn({ kind: "serial", baud: url.baud }, timing.min_gap_ms) : SERIAL_COST;
}

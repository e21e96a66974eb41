import type { Wire } from "../../hw-sim/faults/wireFaults.ts";
import { type Stream, stream } from "../../hw-sim/world/random.ts";
import { drawMeters } from "./meters.ts";
import type { GatewayPlan, WirePlan, ZonePlan } from "./zone.ts";

/** Not a fault, but chosen with them: some lines are RTU. */
export const RTU_LINES = "rtu-lines";

/**
 * The zone of a seed: one to three gateways, one or two lines each, meters of mixed models.
 * @param kinds what is drawn; left out = everything. Without RTU lines all are Modbus TCP
 */
export function drawZone(seed: number, kinds?: readonly string[]): ZonePlan {
  const random = stream(seed, "zone");
  const gateways = Array.from({ length: random.pick([1, 1, 1, 2, 2, 3]) }, (_, i) => drawGateway(i, random));
  const plan = { seed, origin_ms: drawStart(random), interval_ms: INTERVAL_MS };
  if (kinds?.includes(RTU_LINES) === false) return { ...plan, gateways };
  // A stream of its own: what else is drawn is the same with and without.
  const wires = stream(seed, "wires");
  return { ...plan, gateways: gateways.map((one) => ({ ...one, wires: one.lines.map(() => drawWire(wires)) })) };
}

export const INTERVAL_MS = 900_000;
function drawWire(random: Stream): WirePlan {
  return { kind: random.pick(WIRES), isRepeating: random.chance(0.4) };
}

const WIRES: readonly Wire[] = ["tcp", "tcp", "rtu", "rtu+tcp"];
/** A Monday; times of day, month ends and the year's end come from here. */
const FIRST_MS = Date.parse("2026-11-02T00:00:00+07:00");
const DAYS = 70;

function drawGateway(i: number, random: Stream): GatewayPlan {
  const lines = Array.from({ length: random.whole(1, 2) }, () => drawMeters(random.whole(1, 3), random));
  return { name: `gw-0${i + 1}`, lines };
}

/** Anywhere in a quarter of an hour, so that runs begin before, at and after boundaries. */
function drawStart(random: Stream): number {
  return (
    FIRST_MS + random.whole(0, DAYS * 96 - 1) * INTERVAL_MS + random.pick([0, 1, 450_000, random.whole(0, 899_999)])
  );
}

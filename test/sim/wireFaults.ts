import { FAULTS, type FaultWhat } from "../../hw-sim/faults/catalogue.ts";
import type { Stream } from "../../hw-sim/world/random.ts";
import { drawLength, type Episode } from "./episodes.ts";
import type { SimAgent, SimZone } from "./zone.ts";

/**
 * What befalls the replies and connections of lines, by kinds of `hw-sim/faults/catalogue.ts`: drawn at the beginning and put
 * into the fault books of the gateways. On RTU lines only what the client can sort out, by `drivers/decisions/001`: where
 * replies are repeated none is lost.
 */
interface WireFault {
  what(random: Stream): FaultWhat;
  /** It hits every request while it lasts: a port is open or not. */
  readonly isWhole?: true;
  /** A reply comes twice, or is neither lost nor late; else it is one of those. */
  readonly onRtu?: "repeats" | "keeps";
}

export const WIRE_FAULTS: Readonly<Record<string, WireFault>> = {
  "reply-silent": { what: () => ({ kind: "silent" }) },
  "reply-slow": { what: (random) => ({ kind: "slow", delay_ms: random.whole(1, 600) }) },
  "reply-late": { what: (random) => ({ kind: "late", delay_ms: random.whole(500, 5000) }) },
  "reply-exception": {
    what: (random) => ({ kind: "exception", code: random.pick([1, 2, 3, 4, 5, 6, 11]) }),
    onRtu: "keeps",
  },
  "reply-busy": { what: (random) => ({ kind: "busy", requests: random.whole(1, 30) }), onRtu: "keeps" },
  "reply-crc-error": { what: () => ({ kind: "crc-error" }) },
  "reply-truncated": { what: (random) => ({ kind: "truncated", bytes: random.whole(1, 250) }) },
  "reply-split": {
    what: (random) => ({ kind: "split", pieces: random.whole(2, 5), pause_ms: random.whole(1, 200) }),
  },
  "reply-duplicate": { what: () => ({ kind: "duplicate" }), onRtu: "repeats" },
  "reply-wrong-unit": { what: () => ({ kind: "wrong-unit" }) },
  "port-refused": { what: () => ({ kind: "refused" }), isWhole: true, onRtu: "keeps" },
  "port-reset": { what: () => ({ kind: "reset" }) },
  "port-half-open": { what: () => ({ kind: "half-open" }) },
};

/** Faults of lines an hour, on average. */
const PER_HOUR = 8;
const LONGEST_MS = 20 * 60_000;

/** Puts them into the books of the gateways. They have a stream of their own: what else is drawn stays what it was. */
export function drawWireFaults(
  zone: SimZone,
  span: { readonly from_ms: number; readonly to_ms: number; readonly kinds?: readonly string[] },
): readonly Episode[] {
  const random = zone.world.random("wire faults");
  const kinds = Object.keys(WIRE_FAULTS).filter((kind) => span.kinds?.includes(kind) ?? true);
  if (kinds.length === 0) return [];
  const hours = (span.to_ms - span.from_ms) / 3_600_000;
  const count = Math.round(PER_HOUR * hours * random.between(0, 2));
  return Array.from({ length: count }, (_, i) => drawOne(zone, kinds, span, random.fork(String(i)))).flat();
}

function drawOne(
  zone: SimZone,
  kinds: readonly string[],
  span: { readonly from_ms: number; readonly to_ms: number },
  random: Stream,
): readonly Episode[] {
  const kind = random.pick(kinds);
  const { what: whatOf, isWhole, onRtu = "loses" } = WIRE_FAULTS[kind]!;
  const agent = random.pick(zone.agents);
  const on = drawTarget(agent, isWhole === true, random);
  const at_ms = random.whole(span.from_ms, span.to_ms - 1);
  const lasts_ms = Math.min(Math.round(drawLength(random, LONGEST_MS)), span.to_ms - at_ms);
  const what = whatOf(random);
  const wire = agent.wires[on.line]!;
  // A serial line has no connections.
  if (wire.kind === "rtu" && FAULTS[what.kind].scope === "connection") return [];
  if (wire.kind !== "tcp" && onRtu === (wire.isRepeating ? "loses" : "repeats")) return [];
  const probability = isWhole === true ? 1 : random.pick([1, 1, random.between(0.05, 0.95)]);
  const true_ms = zone.world.true_ms();
  const from = { kind: "at", at_ms: true_ms + at_ms } as const;
  agent.faults.add({ id: null, on, what, from, for_ms: lasts_ms, every_ms: null, probability }, true_ms);
  const who = agent.machine.name;
  const whom = `line ${on.line}${on.unit === null ? "" : ` unit ${on.unit}`}`;
  return [
    {
      kind,
      who,
      what: `${kind}: ${who} ${whom} ${JSON.stringify({ ...what, probability })}`,
      at_ms,
      lasts_ms,
      jump_ms: 0,
      begin() {},
      end() {},
    },
  ];
}

/** A line with all its units, or one of them. */
function drawTarget(agent: SimAgent, isWhole: boolean, random: Stream) {
  const { line, faulty } = random.pick(agent.meters);
  const unit = isWhole || random.chance(0.3) ? null : faulty.meter.unit;
  return { line, unit, connection: null };
}

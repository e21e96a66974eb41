import { CARRIERS } from "../../core/emission/carriers.ts";
import type { QuantityId } from "../../core/units/quantities.ts";
import type { FaultWhat } from "../../hw-sim/faults/catalogue.ts";
import { whyNothing } from "../../hw-sim/faults/possible.ts";
import type { Stream } from "../../hw-sim/world/random.ts";
import { drawLength, type Episode } from "./episodes.ts";
import type { MeterInWorld, SimAgent, SimZone } from "./zone.ts";

/**
 * What befalls meters, by kinds of `hw-sim/faults/catalogue.ts`: drawn at the beginning and put into the fault books of the
 * gateways' lines, for what a meter shows follows from time alone.
 */
interface MeterFault {
  /** null = it cannot befall this meter. */
  what(meter: MeterInWorld, random: Stream): FaultWhat | null;
  /** 0 = it happens at an instant. */
  readonly most_ms: number;
}

const MINUTE_MS = 60_000;

export const METER_FAULTS: Readonly<Record<string, MeterFault>> = {
  "register-reset": { what: () => ({ kind: "register-reset" }), most_ms: 0 },
  rollover: {
    what(meter) {
      const quantity = rollingQuantity(meter);
      return quantity === null ? null : { kind: "rollover", quantity };
    },
    most_ms: 0,
  },
  frozen: { what: () => ({ kind: "frozen" }), most_ms: 30 * MINUTE_MS },
  reboot: {
    what: (_meter, random) => ({ kind: "reboot", silent_ms: random.whole(0, 20_000) }),
    most_ms: MINUTE_MS,
  },
  "word-order": { what: () => ({ kind: "word-order" }), most_ms: 10 * MINUTE_MS },
  "ct-reversed": { what: () => ({ kind: "ct-reversed" }), most_ms: 30 * MINUTE_MS },
  "meter-replaced": {
    what: (_meter, random) => ({
      kind: "meter-replaced",
      serial: null,
      start: random.pick([0, random.whole(1, 5000)]),
    }),
    most_ms: 0,
  },
  "no-value": { what: () => ({ kind: "no-value", quantity: null }), most_ms: 30 * MINUTE_MS },
};

/** Faults of meters an hour, on average. */
const PER_HOUR = 8;

/** Puts them into the books of the gateways. They have a stream of their own: what else is drawn stays what it was. */
export function drawMeterFaults(
  zone: SimZone,
  span: { readonly from_ms: number; readonly to_ms: number; readonly kinds?: readonly string[] },
): readonly Episode[] {
  const random = zone.world.random("meter faults");
  const kinds = Object.keys(METER_FAULTS).filter((kind) => span.kinds?.includes(kind) ?? true);
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
  const agent = random.pick(zone.agents);
  const meter = random.pick(agent.meters);
  const { most_ms, what: whatOf } = METER_FAULTS[kind]!;
  const at_ms = random.whole(span.from_ms, span.to_ms - 1);
  const lasts_ms = most_ms === 0 ? 0 : Math.min(Math.round(drawLength(random, most_ms)), span.to_ms - at_ms);
  const what = whatOf(meter, random);
  const true_ms = zone.world.true_ms();
  if (what === null || whyNothing(meter.faulty.meter, what) !== null) return [];
  if (isAlike(agent, meter, what.kind, true_ms + at_ms)) return [];
  agent.faults.add(
    {
      id: null,
      on: { line: meter.line, unit: meter.faulty.meter.unit, connection: null },
      what,
      from: { kind: "at", at_ms: true_ms + at_ms },
      for_ms: lasts_ms === 0 ? null : lasts_ms,
      every_ms: null,
      probability: 1,
    },
    true_ms,
  );
  const who = agent.machine.name;
  return [{ kind, who, what: `${kind}: ${who} ${meter.device}`, at_ms, lasts_ms, jump_ms: 0, begin() {}, end() {} }];
}

/** Faults after which a counter reads zero. */
const ZEROING: readonly string[] = ["register-reset", "meter-replaced", "reboot"];

/** A counter can have stood close to its end only once; and one that reads zero before it came there looks as if it had passed it. */
function isAlike({ faults }: SimAgent, { line, faulty }: MeterInWorld, kind: string, at_ms: number): boolean {
  return faults.ofMeter(line, faulty.meter.unit).some(({ what, from_ms }) => {
    if (what.kind === "rollover") return kind === "rollover" || (ZEROING.includes(kind) && at_ms < from_ms);
    return kind === "rollover" && ZEROING.includes(what.kind) && from_ms < at_ms;
  });
}

/** A counter in the books that stands in an integer register of at most 32 bits; wider ones do not come to their end. */
function rollingQuantity({ config, faulty: { meter } }: MeterInWorld): QuantityId | null {
  const rolls = (quantity: QuantityId): boolean =>
    meter.rangeTicks(quantity) !== null &&
    meter.model.registers.every((one) => one.quantity !== quantity || one.words <= 2);
  return CARRIERS[config.carrier].counters.find(rolls) ?? null;
}

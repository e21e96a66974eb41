import type { EndOfLife } from "../../hw-sim/world/machine.ts";
import type { Stream } from "../../hw-sim/world/random.ts";
import type { SimAgent, SimZone } from "./zone.ts";

/** A fault with a beginning and an end. Whatever it does, `end` undoes it; both may come when it is no news. */
export interface Episode {
  readonly kind: string;
  /** The computer it hits; null = what lies between them. */
  readonly who: string | null;
  readonly what: string;
  readonly at_ms: number;
  readonly lasts_ms: number;
  /** Of a clock: how far it is moved; 0 of everything else. */
  readonly jump_ms: number;
  begin(): void;
  end(): void;
}

type Draw = (
  zone: SimZone,
  random: Stream,
) => Omit<Episode, "kind" | "who" | "at_ms" | "lasts_ms" | "jump_ms"> & {
  readonly who?: string;
  readonly jump_ms?: number;
  readonly most_ms: number;
};

const MINUTE_MS = 60_000;

/** All kinds of faults there are, by name. Shares and lengths are drawn; every gateway, line and process may be hit. */
export const FAULTS: Readonly<Record<string, Draw>> = {
  "link-loss": ({ world: { broker } }, random) => {
    const faults = {
      lost: random.between(0.02, 0.3),
      doubled: random.between(0, 0.1),
      reordered: random.between(0, 0.02),
    };
    return {
      what: `QoS 0: ${percent(faults.lost)} lost, ${percent(faults.doubled)} doubled, ${percent(faults.reordered)} late`,
      most_ms: 30 * MINUTE_MS,
      begin: () => void Object.assign(broker.faults, faults),
      end: () => void Object.assign(broker.faults, { lost: 0, doubled: 0, reordered: 0 }),
    };
  },
  partition: (zone, random) => {
    const { name } = random.pick(machinesOf(zone));
    return {
      who: name,
      what: `${name} cut off`,
      most_ms: 10 * MINUTE_MS,
      begin: () => zone.world.network.cutOff(name),
      end: () => zone.world.network.reach(name),
    };
  },
  "half-open": (zone, random) => {
    const { name } = random.pick(machinesOf(zone));
    return {
      who: name,
      what: `connection of ${name} leads nowhere`,
      most_ms: 0,
      begin: () => zone.world.network.halfOpen(name),
      end() {},
    };
  },
  "broker-restart": ({ world: { broker, network } }, random) => {
    const how = random.pick(ENDS);
    const keepsRetained = random.chance(0.5);
    return {
      what: `broker ${how}, retained ${keepsRetained ? "kept" : "lost"}`,
      most_ms: 2 * MINUTE_MS,
      begin() {
        if (!broker.isUp) return;
        broker.stop({ how, keepsRetained });
        if (how === "power-cut") network.halfOpenAll();
      },
      end() {
        if (!broker.isUp) broker.start();
      },
    };
  },
  "slow-subscriber": ({ world: { broker } }, random) => {
    const slow_ms = random.whole(20, 3000);
    return {
      what: `the collector takes ${slow_ms} ms a message`,
      most_ms: 5 * MINUTE_MS,
      begin: () => void broker.slow_ms.set(COLLECTOR_CLIENT, slow_ms),
      end: () => void broker.slow_ms.delete(COLLECTOR_CLIENT),
    };
  },
  "agent-crash": (zone, random) => {
    const agent = random.pick(zone.agents);
    const how = random.pick(ENDS);
    return {
      who: agent.machine.name,
      what: `${agent.machine.name} ${how}`,
      most_ms: 20 * MINUTE_MS,
      begin: () => agent.crash(how),
      end: restart(agent),
    };
  },
  "agent-crash-at-write": (zone, random) => {
    const agent = random.pick(zone.agents);
    const how = random.pick(ENDS);
    const when = random.pick(SIDES);
    return {
      who: agent.machine.name,
      what: `${agent.machine.name} ${how} ${when} a write`,
      most_ms: 5 * MINUTE_MS,
      begin: () => agent.disk.crashAtNextAppend({ how, when }),
      end() {
        agent.disk.crashAtNextAppend(null);
        restart(agent)();
      },
    };
  },
  "agent-stop": (zone, random) => {
    const agent = random.pick(zone.agents);
    return {
      who: agent.machine.name,
      what: `${agent.machine.name} stopped`,
      most_ms: 5 * MINUTE_MS,
      begin: () => void agent.stop().catch(ignoreIfDead(agent)),
      end: restart(agent),
    };
  },
  "collector-crash": ({ collector }, random) => {
    const how = random.pick(ENDS);
    return {
      what: `collector ${how}`,
      most_ms: 3 * MINUTE_MS,
      begin: () => collector.crash(how),
      end: restart(collector),
    };
  },
  "collector-crash-at-commit": ({ collector }, random) => {
    const how = random.pick(ENDS);
    const when = random.pick(SIDES);
    return {
      what: `collector ${how} ${when} a commit`,
      most_ms: 2 * MINUTE_MS,
      begin: () => collector.disk.crashAtNextCommit({ how, when }),
      end() {
        collector.disk.crashAtNextCommit(null);
        restart(collector)();
      },
    };
  },
  "collector-stop": ({ collector }, random) => ({
    what: "collector stopped",
    most_ms: random.pick([1, 3]) * MINUTE_MS,
    begin: () => void collector.stop().catch(ignoreIfDead(collector)),
    end: restart(collector),
  }),
  "collector-disk-full": ({ collector }) => ({
    what: "collector's disk full",
    most_ms: 5 * MINUTE_MS,
    begin() {
      collector.disk.isFull = true;
    },
    end() {
      collector.disk.isFull = false;
    },
  }),
  "agent-disk-full": (zone, random) => {
    const { disk, machine } = random.pick(zone.agents);
    return {
      who: machine.name,
      what: `disk of ${machine.name} full`,
      most_ms: 10 * MINUTE_MS,
      begin() {
        disk.capacity_bytes = disk.bytes + random.whole(0, 50_000);
      },
      end() {
        disk.capacity_bytes = Number.POSITIVE_INFINITY;
      },
    };
  },
  "agent-disk-read-only": (zone, random) => {
    const { disk, machine } = random.pick(zone.agents);
    return {
      who: machine.name,
      what: `disk of ${machine.name} read-only`,
      most_ms: 5 * MINUTE_MS,
      begin() {
        disk.isReadOnly = true;
      },
      end() {
        disk.isReadOnly = false;
      },
    };
  },
  "bit-flip": (zone, random) => {
    const agent = random.pick(zone.agents);
    return {
      who: agent.machine.name,
      what: `a bit flips on the disk of ${agent.machine.name}`,
      most_ms: 0,
      begin() {
        if (agent.disk.flipBit()) agent.damages += 1;
      },
      end() {},
    };
  },
  "torn-segment": (zone, random) => {
    const agent = random.pick(zone.agents);
    return {
      who: agent.machine.name,
      what: `${agent.machine.name} power-cut, newest segment torn`,
      most_ms: 2 * MINUTE_MS,
      begin() {
        agent.crash("power-cut");
        if (agent.disk.tear()) agent.damages += 1;
      },
      end: restart(agent),
    };
  },
  "line-noise": (zone, random) => {
    const agent = random.pick(zone.agents);
    const line = random.pick(agent.lines);
    const faults = {
      silent: random.between(0, 0.2),
      garbled: random.between(0, 0.2),
      busy: random.between(0, 0.1),
      slow: random.between(0, 0.2),
    };
    return {
      who: agent.machine.name,
      what: `${agent.machine.name}: noise on line ${agent.lines.indexOf(line)}`,
      most_ms: 20 * MINUTE_MS,
      begin: () => void Object.assign(line.faults, faults),
      end: () => void Object.assign(line.faults, { silent: 0, garbled: 0, busy: 0, slow: 0 }),
    };
  },
  "meter-silent": (zone, random) => {
    const agent = random.pick(zone.agents);
    const line = random.pick(agent.lines);
    const unit = random.whole(1, 3);
    return {
      who: agent.machine.name,
      what: `${agent.machine.name}: unit ${unit} of line ${agent.lines.indexOf(line)} silent`,
      most_ms: 40 * MINUTE_MS,
      begin: () => void line.silentUnits.add(unit),
      end: () => void line.silentUnits.delete(unit),
    };
  },
  "line-unreachable": (zone, random) => {
    const agent = random.pick(zone.agents);
    const line = random.pick(agent.lines);
    return {
      who: agent.machine.name,
      what: `${agent.machine.name}: line ${agent.lines.indexOf(line)} unreachable`,
      most_ms: 20 * MINUTE_MS,
      begin() {
        line.isUnreachable = true;
      },
      end() {
        line.isUnreachable = false;
      },
    };
  },
  "clock-jump": (zone, random) => {
    const { name } = random.pick(machinesOf(zone));
    const delta_ms = random.pick([-1, 1]) * Math.round(10 ** random.between(2, 6.5));
    return {
      who: name,
      jump_ms: delta_ms,
      what: `clock of ${name} jumps by ${delta_ms} ms`,
      most_ms: 20 * MINUTE_MS,
      begin: () => zone.world.machine(name).jump(delta_ms),
      // NTP finds it.
      end: () => zone.world.machine(name).jump(-zone.world.machine(name).offset_ms()),
    };
  },
  "clock-drift": (zone, random) => {
    const { name } = random.pick(machinesOf(zone));
    const ppm = random.between(-500, 500);
    return {
      who: name,
      what: `clock of ${name} drifts by ${ppm.toFixed(0)} ppm`,
      most_ms: 40 * MINUTE_MS,
      begin: () => zone.world.machine(name).drift(ppm),
      end: () => zone.world.machine(name).drift(0),
    };
  },
};

const ENDS: readonly EndOfLife[] = ["process-killed", "power-cut"];
const SIDES = ["before", "after"] as const;
const COLLECTOR_CLIENT = "khuxanh-host-zone-collector";
const LEAST_MS = 500;
/** Faults an hour, on average. */
const PER_HOUR = 24;

/** The faults of a run, in order of time; `kinds` left out = all of them. */
export function drawEpisodes(
  zone: SimZone,
  span: { readonly from_ms: number; readonly to_ms: number; readonly kinds?: readonly string[] },
): readonly Episode[] {
  const random = zone.world.random("faults");
  const kinds = span.kinds?.filter((kind) => Object.hasOwn(FAULTS, kind)) ?? Object.keys(FAULTS);
  if (kinds.length === 0) return [];
  const hours = (span.to_ms - span.from_ms) / 3_600_000;
  const count = Math.max(1, Math.round(PER_HOUR * hours * random.between(0.3, 1.7)));
  return Array.from({ length: count }, (_, i) => {
    const own = random.fork(String(i));
    const kind = own.pick(kinds);
    const { most_ms, who = null, jump_ms = 0, ...episode } = FAULTS[kind]!(zone, own);
    const at_ms = own.between(span.from_ms, span.to_ms);
    const lasts_ms = most_ms === 0 ? 0 : Math.min(drawLength(own, most_ms), span.to_ms - at_ms);
    return { ...episode, kind, who, jump_ms, what: `${kind}: ${episode.what}`, at_ms, lasts_ms };
  }).sort((a, b) => a.at_ms - b.at_ms);
}

/** Short ones are as interesting as long ones. */
export function drawLength(random: Stream, most_ms: number): number {
  return LEAST_MS * (most_ms / LEAST_MS) ** random.unit();
}

function machinesOf(zone: SimZone): readonly { readonly name: string }[] {
  return [...zone.agents.map(({ machine }) => machine), zone.collector.machine];
}

/** A crash in the middle of a stop is a crash. */
function ignoreIfDead({ machine }: Pick<SimAgent, "machine">): (error: unknown) => void {
  const { life } = machine;
  return (error) => {
    if (life?.isAlive === true) throw error;
  };
}

/** If it runs, it goes on. */
function restart(process: Pick<SimAgent, "machine"> & { start(): void }): () => void {
  return () => {
    if (process.machine.life?.isAlive !== true) process.start();
  };
}

function percent(share: number): string {
  return `${(100 * share).toFixed(0)} %`;
}

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { systemClock, systemTimers } from "../../../cli/io/system.ts";
import type { Timers } from "../../../core/ports.ts";
import { openBus } from "../../../drivers/modbus/client.ts";
import { simLine } from "../../../hw-sim/bus/line.ts";
import { simBus } from "../../../hw-sim/bus/simBus.ts";
import { FAULTS } from "../../../hw-sim/faults/catalogue.ts";
import { faultBook } from "../../../hw-sim/faults/faultBook.ts";
import type { Wire } from "../../../hw-sim/faults/wireFaults.ts";
import { openLine } from "../../../hw-sim/lines/openLine.ts";
import type { Answer } from "../../../hw-sim/meters/addressSpace.ts";
import type { SimListen } from "../../../hw-sim/simConfig.ts";
import { SimLine } from "../../../hw-sim/world/line.ts";
import { SimRtuLine } from "../../../hw-sim/world/rtuLine.ts";
import { createWorld } from "../../../hw-sim/world/world.ts";
import {
  type BusKind,
  type BusUnderTest,
  busContract,
  CONTRACT_KINDS,
  faultOf,
  request,
  shown,
} from "../../contract/bus.ts";
import { isRequired, pathOf } from "../../services.ts";
import { settling } from "../../sim/settle.ts";
import { rawClient } from "./rawClient.ts";

/** Register n holds n, 0 to 799. */
const counting = {
  read: (_fc: 3 | 4, address: number, count: number): Answer =>
    address + count > 800 ? { exception: 2 } : Uint16Array.from({ length: count }, (_, i) => address + i),
};
const METERS = new Map([
  [1, counting],
  [2, counting],
]);
const UNITS = new Set(METERS.keys());

async function onLine(listen: SimListen, faults: Parameters<BusKind["make"]>[0]): Promise<BusUnderTest> {
  const lines = [{ units: UNITS, hasConnections: listen.kind !== "rtu" }];
  const book = faultBook({ seed: 1, lines }, faults);
  const line = await openLine(listen, {
    meters: METERS,
    clock: systemClock,
    timers: systemTimers,
    faults: book,
    line: 0,
  });
  const address = listen.kind === "rtu" ? listen : { kind: listen.kind, host: line.host, port: line.port };
  const open = () => openBus(address, { drain_ms: 60 });
  const bus = open();
  return {
    bus,
    second: listen.kind === "rtu" ? null : open(),
    async close() {
      await bus.close();
      await line.close();
    },
  };
}

for (const kind of ["tcp", "rtu+tcp"] as const) {
  busContract(`${kind} on a real socket`, {
    wire: kind,
    skipped: "",
    make: (faults) => onLine({ kind, host: "127.0.0.1", port: 0 }, faults),
  });
}

busContract("rtu on a real pseudo terminal", {
  wire: "rtu",
  skipped: pathOf("socat") === null && !isRequired ? "skipped: needs socat" : "",
  async make(faults) {
    const folder = mkdtempSync(join(tmpdir(), "khuxanh-pty-"));
    const settings = { path: join(folder, "line"), baud: 115_200, parity: "none", stop_bits: 1 } as const;
    const under = await onLine({ kind: "rtu", ...settings }, faults);
    return {
      ...under,
      async close() {
        await under.close();
        rmSync(folder, { recursive: true });
      },
    };
  },
});

/** Time passes when it is waited for. */
const instantly: Timers = {
  after(_delay_ms, run) {
    let isCancelled = false;
    queueMicrotask(() => {
      if (!isCancelled) run();
    });
    return () => {
      isCancelled = true;
    };
  },
  every: () => () => {},
};

for (const wire of ["tcp", "rtu+tcp", "rtu"] as const satisfies readonly Wire[]) {
  busContract(`${wire} in a world`, {
    wire,
    skipped: "",
    async make(faults) {
      const book = faultBook({ seed: 1, lines: [{ units: UNITS, hasConnections: wire !== "rtu" }] }, faults);
      const clock = { now_ms: () => 1_000_000, mono_ms: () => 0 };
      const bus = simBus(METERS, clock, { wire, faults: book, timers: instantly });
      return { bus, second: null, close: () => bus.close() };
    },
  });
}

/** Virtual time runs on until each read has ended. */
busContract("tcp on a line of a world in virtual time", {
  wire: "tcp",
  skipped: "",
  async make(faults) {
    const world = createWorld({ seed: 1, origin_ms: 1_000_000, settle: settling() });
    const { scheduler, trace, true_ms } = world;
    const book = faultBook({ seed: 1, lines: [{ units: UNITS, hasConnections: true }] }, faults);
    const line = new SimLine({
      name: "line",
      scheduler,
      random: world.random("line"),
      trace,
      meters: METERS,
      hitting: (unit, at_ms) => book.hitting({ line: 0, unit, connection: null, at_ms }),
      true_ms,
      latency: { least_ms: 4, most_ms: 30 },
    });
    const bus = line.busOf(world.machine("gateway").start());
    const read: BusUnderTest["bus"]["read"] = async (request) => {
      const reply = bus.read(request);
      await scheduler.run(scheduler.now_ms + request.timeout_ms);
      return reply;
    };
    return { bus: { ...bus, read }, second: null, close: () => bus.close() };
  },
});

/** Our client itself, on the bytes of a simulated line. */
for (const [wire, isRepeating] of [
  ["rtu+tcp", false],
  ["rtu", false],
  ["rtu", true],
] as const) {
  busContract(`${wire}${isRepeating ? ", repeated later," : ""} in our client on a line of a world in virtual time`, {
    wire,
    skipped: "",
    async make(faults) {
      const world = createWorld({ seed: 1, origin_ms: 1_000_000, settle: settling() });
      const { scheduler, trace, true_ms } = world;
      const book = faultBook({ seed: 1, lines: [{ units: UNITS, hasConnections: wire !== "rtu" }] }, faults);
      const line = new SimRtuLine({
        name: "line",
        scheduler,
        random: world.random("line"),
        trace,
        end: simLine({ meters: METERS, wire, faults: book }),
        true_ms,
        latency: { least_ms: 4, most_ms: 30 },
        isRepeating,
      });
      const address =
        wire === "rtu"
          ? ({ kind: wire, path: "/dev/line", baud: 9600, parity: "none", stop_bits: 1 } as const)
          : { kind: wire, host: "line", port: 502 };
      const bus = openBus(address, {}, line.machineOf(world.machine("gateway").start()));
      const inTime = async <T>(work: Promise<T>): Promise<T> => {
        let isDone = false;
        void work.finally(() => {
          isDone = true;
        });
        while (!isDone) await scheduler.run(scheduler.now_ms + 1000);
        return work;
      };
      return {
        bus: { ...bus, read: (asked) => inTime(bus.read(asked)) },
        second: null,
        close: () => inTime(bus.close()),
      };
    },
  });
}

test("the contract covers every fault of replies and connections", () => {
  const all = Object.entries(FAULTS).flatMap(([kind, { scope }]) =>
    scope === "reply" || scope === "connection" ? [kind] : [],
  );
  expect([...new Set<string>(CONTRACT_KINDS)].sort()).toEqual(all.sort());
});

test.each(["tcp", "rtu+tcp"] as const)(
  "%s: with one-connection the second client is unreachable until the first goes",
  async (kind) => {
    const under = await onLine({ kind, host: "127.0.0.1", port: 0 }, [faultOf({ kind: "one-connection" })]);
    try {
      expect(shown(await under.bus.read(request(1)))).toBe("words");
      expect(shown(await under.second!.read(request(1)))).toBe("unreachable");
      expect(shown(await under.bus.read(request(1)))).toBe("words");
      await under.bus.close();
      // The other side learns of the end in its own time.
      let reply = "";
      for (let tries = 0; reply !== "words" && tries < 200; tries++) {
        reply = shown(await under.second!.read(request(1)));
      }
      expect(reply).toBe("words");
    } finally {
      await under.second!.close();
      await under.close();
    }
  },
);

test("with one-connection a client that hangs up and comes again at once is served, every time", async () => {
  const book = faultBook({ seed: 1, lines: [{ units: UNITS, hasConnections: true }] }, [
    faultOf({ kind: "one-connection" }),
  ]);
  const parts = { meters: METERS, clock: systemClock, timers: systemTimers, faults: book, line: 0 };
  const line = await openLine({ kind: "tcp", host: "127.0.0.1", port: 0 }, parts);
  try {
    for (let turn = 0; turn < 20; turn++) {
      const client = await rawClient(line.port);
      client.send(0, turn, 0, 0, 0, 6, 1, 3, 0, 7, 0, 1);
      expect(await client.take(11)).toEqual([0, turn, 0, 0, 0, 5, 1, 3, 2, 0, 7]);
      // Not waited for: the next connection is asked for in the same turn.
      void client.end();
    }
  } finally {
    await line.close();
  }
});

test("a fault of the first connection spares the second", async () => {
  const on = { line: 0, unit: null, connection: 1 };
  const under = await onLine({ kind: "tcp", host: "127.0.0.1", port: 0 }, [{ ...faultOf({ kind: "half-open" }), on }]);
  try {
    expect(shown(await under.bus.read(request(1, 150)))).toBe("timeout");
    expect(shown(await under.bus.read(request(1)))).toBe("words");
  } finally {
    await under.second!.close();
    await under.close();
  }
});

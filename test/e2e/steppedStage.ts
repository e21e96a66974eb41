import { onTestFinished } from "vitest";
import type { RunningAgent } from "../../agent/main.ts";
import { loadModelLibrary } from "../../config/models.ts";
import type { QuantityId } from "../../core/units/quantities.ts";
import { openBus } from "../../drivers/modbus/client.ts";
import { readProfile } from "../../hw-sim/profiles/io.ts";
import { type RunningSim, startSim } from "../../hw-sim/sim.ts";
import { type BrokerKind, quiet, SteppedClock, startZone, type TestZone, tempDir, until } from "./harness.ts";

export const START_MS = Date.parse("2026-11-02T08:00:00+07:00");
export const QUARTER_MS = 900_000;
export const GATEWAY = { group: "kcn-test", edge: "gw-01" };

/** A gateway with two simulated meters, a broker and a collector, in domain time that the test moves, a quarter hour a step. */
export interface Stage {
  readonly dir: string;
  readonly clock: SteppedClock;
  readonly sim: RunningSim;
  readonly zone: TestZone;
}

export async function stage(kind: BrokerKind): Promise<Stage> {
  const dir = tempDir();
  onTestFinished(dir.remove);
  const clock = new SteppedClock(START_MS);
  const sim = await startSim(
    {
      seed: 3,
      time_zone: "Asia/Ho_Chi_Minh",
      lines: [
        {
          listen: { kind: "tcp", host: "127.0.0.1", port: 0 },
          meters: [
            { unit: 1, model: "schneider-pm5000", name: "a", load: { shape: "two-shift", peak_W: 400_000 } },
            { unit: 2, model: "carlo-gavazzi-em340-et340", name: "b", load: { shape: "continuous", peak_W: 90_000 } },
          ],
        },
      ],
    },
    { models: loadModelLibrary(), clock, readProfile },
  );
  onTestFinished(() => sim.close());
  const zone = await startZone(dir.path, quiet, kind);
  onTestFinished(() => zone.close());
  return { dir: dir.path, clock, sim, zone };
}

export function agentYaml({ dir, sim, zone }: Stage, meters: readonly string[]): string {
  const line: Record<string, string> = {
    a: "{id: a, unit: 1, model: schneider-pm5000, carrier: electricity, every: 15min}",
    b: "{id: b, unit: 2, model: carlo-gavazzi-em340-et340, carrier: electricity, role: use, every: 15min}",
  };
  return `
zone: kcn-test
site: steel
gateway: gw-01
data_dir: ${dir}/gw-01
buses:
  - id: main
    url: tcp://127.0.0.1:${sim.lines[0]?.port}
    meters: [${meters.map((id) => line[id]).join(", ")}]
uplink: {url: "${zone.brokerUrl}", host_id: zone-collector, delivery: required}
listen: 127.0.0.1:0
`;
}

/** Polls the quarters from `first` to `last` (counted from the start) and waits until all of it is confirmed. */
export async function poll({ clock }: Stage, agent: RunningAgent, first: number, last: number): Promise<void> {
  await agent.gateway.runHistory({
    from_ms: START_MS + first * QUARTER_MS,
    to_ms: START_MS + last * QUARTER_MS,
    busOf: (bus) => openBus(bus.url),
    at: (at_ms) => clock.set(at_ms),
    goesOn: true,
    onProgress: () => {},
  });
  await until("all is confirmed", () => agent.status().journal.unconfirmed === 0);
}

export function books({ zone }: Stage, device: string, quantity: QuantityId = "active_energy_import_total") {
  return zone.store.intervals(GATEWAY, device, quantity, START_MS, START_MS + 100 * QUARTER_MS, 1000);
}

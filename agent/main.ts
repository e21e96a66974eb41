import { join } from "node:path";
import { openDataDir } from "../config/dataDir.ts";
import type { AgentConfig, BusConfig } from "../config/files/agent.ts";
import type { EmissionFactor } from "../core/emission/factor.ts";
import type { MeterModel } from "../core/model/meterModel.ts";
import type { Bus, Clock, Log, MqttConnector, Random, Timers } from "../core/ports.ts";
import { openBus } from "../drivers/modbus/client.ts";
import { assembleAgent } from "./assemble.ts";
import type { Gateway } from "./gateway.ts";
import { MAX_BYTES } from "./journal/bounds.ts";
import { openJournal } from "./journal/journal.ts";
import { sqliteDisk } from "./journal/sqliteDisk.ts";
import { claimBus } from "./local/busOwner.ts";
import { busFacts } from "./local/facts.ts";
import { recordedBus } from "./local/frames.ts";
import { type GatewayStatus, prometheusText } from "./local/metrics.ts";
import { type LocalBus, startLocalServer } from "./local/server.ts";
import { gatewayView } from "./local/view.ts";

/** What an agent takes from its surroundings; `cli/` wires the real ones. */
export interface AgentSurroundings {
  readonly resolveModel: (idOrFile: string) => MeterModel;
  readonly factors: readonly EmissionFactor[];
  /** Domain time. */
  readonly clock: Clock;
  /** Transport time. */
  readonly timers: Timers;
  readonly random: Random;
  readonly connector: MqttConnector;
  readonly log: Log;
  readonly version: string;
  readonly isClockSynchronised?: () => boolean | null;
  /** Modbus through sockets and serial lines, unless a test brings its own. */
  readonly openBus?: (bus: BusConfig) => Bus;
  /** Files of the look that the gateway's page shares with the zone's, by name; without it the browser's own look does. */
  readonly look?: (name: string) => Uint8Array | null;
}

export interface RunningAgent {
  readonly gateway: Gateway;
  readonly port: number;
  status(): GatewayStatus;
  stop(): Promise<void>;
}

/**
 * Starts one gateway. An unreachable meter or broker is no reason not to.
 * @throws {KhuXanhError} DATA_DIR_LOCKED, DISK_UNUSABLE, PORT_TAKEN, and what a wrong meter definition throws.
 */
export async function startAgent(config: AgentConfig, around: AgentSurroundings): Promise<RunningAgent> {
  const dataDir = openDataDir(config.data_dir);
  const { clock, random, log } = around;
  const undo: (() => Promise<void> | void)[] = [dataDir.release];
  const stopAll = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const journal = openJournal({
      disk: sqliteDisk(join(dataDir.path, "journal")),
      // The default is as much only where the disk has room for it.
      maxBytes: config.journal.max_bytes === MAX_BYTES ? null : config.journal.max_bytes,
      maxAge_ms: config.journal.max_age_ms,
      now_ms: clock.now_ms,
      random,
      log,
    });
    undo.push(() => journal.close());
    const open = around.openBus ?? ((bus: BusConfig) => openBus(bus.url));
    const localBuses = new Map<string, LocalBus>();
    const agent = assembleAgent(config, {
      ...around,
      journal,
      openBus(bus) {
        const recorded = recordedBus(open(bus), clock);
        localBuses.set(bus.id, { bus: recorded, timeout_ms: bus.timeout_ms });
        return recorded;
      },
    });
    const { gateway, status } = agent;
    const server = await startLocalServer(config.listen, {
      health: status,
      metrics: () => prometheusText(status(), gateway.busStatus()),
      status: () =>
        gatewayView({
          ...status(),
          pid: process.pid,
          now_ms: clock.now_ms(),
          timeZone: config.time_zone,
          uplink: { ...status().uplink, url: config.uplink.url.url },
          journal: journal.status(),
          buses: busFacts(config, gateway.busStatus(), gateway.devices(), (device) => gateway.lastIntervals(device)),
        }),
      buses: localBuses,
      mono_ms: clock.mono_ms,
      look: around.look ?? (() => null),
    });
    undo.push(() => server.close());
    const http = `http://${config.listen.host.includes(":") ? `[${config.listen.host}]` : config.listen.host}:${server.port}`;
    for (const bus of config.buses.filter(({ id }) => localBuses.has(id))) {
      undo.push(claimBus(bus.url, { gateway: config.gateway, bus: bus.id, http }).release);
    }
    undo.push(() => agent.stop());
    agent.run();
    log.info("agent.started", {
      gateway: config.gateway,
      epoch: journal.epoch,
      health: `${config.listen.host}:${server.port}`,
    });
    return { gateway, port: server.port, status, stop: stopAll };
  } catch (error) {
    await stopAll();
    throw error;
  }
}

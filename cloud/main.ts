import { join } from "node:path";
import { openDataDir } from "../config/dataDir.ts";
import type { CollectorConfig } from "../config/files/collector.ts";
import { readPassword } from "../config/load.ts";
import type { EmissionFactor, GwpSet } from "../core/emission/factor.ts";
import { KhuXanhError } from "../core/errors.ts";
import type { Clock, Log, MqttConnector, Random, Timers } from "../core/ports.ts";
import { buildApi } from "./api/api.ts";
import type { Health } from "./api/schemas.ts";
import { startBroker } from "./broker/embedded.ts";
import { Collector } from "./collector/collector.ts";
import { openSqliteStore } from "./store/sqlite.ts";
import type { ZoneStore } from "./store/store.ts";

/** What a zone server takes from its surroundings; `cli/` wires the real ones. */
export interface CollectorSurroundings {
  readonly factors: readonly EmissionFactor[];
  readonly gwpSets: readonly GwpSet[];
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly connector: MqttConnector;
  readonly log: Log;
  readonly version: string;
  /** Folder of the built page. */
  readonly webDir: string;
  readonly history: () => Health["history"];
}

export interface RunningCollector {
  readonly collector: Collector;
  readonly store: ZoneStore;
  readonly brokerUrl: string;
  readonly url: string;
  stop(): Promise<void>;
}

/** @throws {KhuXanhError} PORT_TAKEN, DATA_DIR_LOCKED, DISK_UNUSABLE; CONFIG_INVALID for a store that is not built yet. */
export async function startCollector(
  config: CollectorConfig,
  around: CollectorSurroundings,
): Promise<RunningCollector> {
  if (config.store.kind !== "sqlite") {
    throw new KhuXanhError("CONFIG_INVALID", `store.kind: ${config.store.kind} is not available in this version`, {
      hint: "Use store: {kind: sqlite}; InfluxDB comes with a later version.",
    });
  }
  const { clock, timers, random, log, connector } = around;
  const dataDir = openDataDir(config.data_dir);
  const undo: (() => Promise<void> | void)[] = [dataDir.release];
  const stopAll = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const store = openSqliteStore({ path: join(dataDir.path, "zone.sqlite"), now_ms: clock.now_ms });
    undo.push(() => store.close());
    let brokerUrl: string;
    if (config.broker.kind === "embedded") {
      const { host } = config.broker.listen;
      const broker = await startBroker({ ...config.broker.listen, log });
      undo.push(() => broker.close());
      brokerUrl = `mqtt://${host}:${broker.port}`;
    } else brokerUrl = config.broker.url.url;
    const collector = new Collector({
      hostId: config.host_id,
      zone: config.zone.id,
      connect: { url: brokerUrl, ...credentialsOf(config.broker) },
      connector,
      store,
      factors: around.factors,
      clock,
      timers,
      random,
      log,
    });
    const api = await buildApi({
      store,
      live: collector,
      zone: config.zone,
      sites: config.sites,
      factors: around.factors,
      gwpSets: around.gwpSets,
      clock,
      timers,
      version: around.version,
      storeName: config.store.kind,
      history: around.history,
      brokerConnected: () => collector.isConnected,
      webDir: around.webDir,
      log,
    });
    const url = await listen(api, config.listen);
    undo.push(() => api.close());
    undo.push(() => collector.stop());
    void collector.run();
    log.info("collector.started", { zone: config.zone.id, page: url, broker: brokerUrl });
    return { collector, store, brokerUrl, url, stop: stopAll };
  } catch (error) {
    await stopAll();
    throw error;
  }
}

function credentialsOf(broker: CollectorConfig["broker"]) {
  if (broker.kind === "embedded") return {};
  const password = readPassword(broker);
  return {
    ...(broker.username === undefined ? {} : { username: broker.username }),
    ...(password === undefined ? {} : { password }),
  };
}

async function listen(
  api: { listen(options: { host: string; port: number }): Promise<string> },
  { host, port }: { readonly host: string; readonly port: number },
): Promise<string> {
  try {
    return await api.listen({ host, port });
  } catch (cause) {
    throw new KhuXanhError("PORT_TAKEN", `${host}:${port} cannot be listened on`, {
      hint: "Stop the program that uses this port, or choose another with --port or `listen`.",
      context: { host, port },
      cause,
    });
  }
}

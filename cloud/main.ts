import { join } from "node:path";
import { openDataDir } from "../config/dataDir.ts";
import type { CollectorConfig } from "../config/files/collector.ts";
import { loadFills, loadInstruments } from "../config/load.ts";
import type { EmissionFactor, GwpSet } from "../core/emission/factor.ts";
import { KhuXanhError } from "../core/errors.ts";
import type { Clock, Log, MqttConnector, Random, Timers } from "../core/ports.ts";
import { buildApi } from "./api/api.ts";
import type { Health } from "./api/schemas.ts";
import { startBroker } from "./broker/embedded.ts";
import { BirthReader } from "./collector/births.ts";
import { Collector } from "./collector/collector.ts";
import { applyFills } from "./collector/filler.ts";
import { openSqliteStore } from "./store/sqlite.ts";
import type { ZoneStore } from "./store/store.ts";
import { WatchedFile } from "./watchedFile.ts";

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
  const sites = config.sites.map(({ id }) => id);
  const fills = watched(config.fills_file, loadFills);
  const instruments = watched(config.instruments_file, (file) => loadInstruments(file, sites));
  const dataDir = openDataDir(config.data_dir);
  const undo: (() => Promise<void> | void)[] = [dataDir.release];
  const stopAll = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const onAlone = (why: string) =>
      log.error("store.opened-alone", { why, hint: "make room; khuxanh ledger reads it again after a restart" });
    const store = openSqliteStore({ path: join(dataDir.path, "zone.sqlite"), now_ms: clock.now_ms, onAlone });
    undo.push(() => store.close());
    const { factors } = around;
    const filler = { store, factors, clock, log, births: new BirthReader(store) };
    applyFills(fills?.value.fills ?? [], filler);
    if (fills !== null) undo.push(fills.watch(timers, log, (file) => applyFills(file.fills, filler)));
    if (instruments !== null) undo.push(instruments.watch(timers, log));
    const connect = await brokerOf(config, around, (close) => undo.push(close));
    const collector = new Collector({
      hostId: config.host_id,
      zone: config.zone.id,
      connect,
      connector,
      store,
      factors: around.factors,
      clock,
      timers,
      random,
      log,
      ...(config.reorder_timeout_ms === undefined ? {} : { reorderTimeout_ms: config.reorder_timeout_ms }),
    });
    const api = await buildApi({
      store,
      live: collector,
      zone: config.zone,
      sites: config.sites,
      factors: around.factors,
      gwpSets: around.gwpSets,
      // A getter: instruments may be written while the server runs.
      get market() {
        return instruments?.value;
      },
      assumedFactorUncertainty_pct: config.assumed_factor_uncertainty_pct,
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
    log.info("collector.started", { zone: config.zone.id, page: url, broker: connect.url });
    return { collector, store, brokerUrl: connect.url, url, stop: stopAll };
  } catch (error) {
    await stopAll();
    throw error;
  }
}

function watched<T>(file: string | undefined, read: (file: string) => T): WatchedFile<T> | null {
  return file === undefined ? null : new WatchedFile(file, () => read(file));
}

/** The broker the collector connects to, with what it says there; an embedded one is started. Passwords of others are the connector's matter. */
async function brokerOf(
  { broker, zone, host_id }: CollectorConfig,
  { log, timers }: CollectorSurroundings,
  onClose: (close: () => Promise<void>) => void,
): Promise<{ readonly url: string; readonly username?: string; readonly password?: string }> {
  if (broker.kind === "external") {
    return { url: broker.url.url, ...(broker.username === undefined ? {} : { username: broker.username }) };
  }
  const { listen, kind: _kind, ...files } = broker;
  const isGuarded = Object.keys(files).length > 0;
  const place = { zone: zone.id, hostId: host_id };
  const started = await startBroker({ ...listen, log, ...(isGuarded ? { guard: { files, place, timers } } : {}) });
  onClose(() => started.close());
  return started.host;
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

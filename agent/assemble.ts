import type { AgentConfig, BusConfig } from "../config/files/agent.ts";
import type { EmissionFactor } from "../core/emission/factor.ts";
import type { MeterModel } from "../core/model/meterModel.ts";
import type { Bus, Cancel, Clock, Log, MqttConnector, Random, Timers } from "../core/ports.ts";
import { ClockTrust } from "./clockTrust.ts";
import { Gateway } from "./gateway.ts";
import type { Journal } from "./journal/journal.ts";
import type { GatewayStatus } from "./local/metrics.ts";
import { EdgeNode } from "./uplink/edgeNode.ts";

/** What the metering path of an agent takes from outside: in production the machine's, in a simulated world the world's. */
export interface AgentPorts {
  readonly resolveModel: (idOrFile: string) => MeterModel;
  readonly factors: readonly EmissionFactor[];
  readonly journal: Journal;
  /** Domain time. */
  readonly clock: Clock;
  /** Transport time. */
  readonly timers: Timers;
  readonly random: Random;
  readonly connector: MqttConnector;
  readonly password?: string;
  readonly openBus: (bus: BusConfig) => Bus;
  readonly log: Log;
  readonly version: string;
  /** What the system says of its clock: true = set by a time server; null, or left out = it does not say. */
  readonly isClockSynchronised?: () => boolean | null;
}

/** How often a clock that was not set yet is looked at before anything is sent. */
const CLOCK_LOOK_MS = 1000;

/** The metering path of one gateway: bus → journal → accounts → uplink. Neither files, nor locks, nor a page. */
export interface AssembledAgent {
  readonly gateway: Gateway;
  readonly journal: Journal;
  status(): GatewayStatus;
  /** Begins to connect; polling begins with `gateway.start()`. */
  run(): void;
  /** Polls no more, commits what was polled, says goodbye. The journal stays open: it is its opener's. */
  stop(): Promise<void>;
}

/**
 * Puts the metering path together; nothing in it knows whether time and links are real.
 * @throws {KhuXanhError} what a wrong meter definition throws.
 */
export function assembleAgent(config: AgentConfig, ports: AgentPorts): AssembledAgent {
  const { journal, clock, timers, random, log, password } = ports;
  const { username } = config.uplink;
  const edge: EdgeNode = new EdgeNode({
    group: config.zone,
    edge: config.gateway,
    hostId: config.uplink.host_id,
    delivery: config.uplink.delivery,
    returnIsBorn: config.uplink.meter_return,
    software: `khuxanh ${ports.version}`,
    site: config.site,
    connect: {
      url: config.uplink.url.url,
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
    },
    connector: ports.connector,
    journal,
    clock,
    mono_ms: clock.mono_ms,
    timers,
    random,
    log,
    devices: () => gateway.devices(),
  });
  const trust = new ClockTrust({
    clock,
    isSynchronised: ports.isClockSynchronised ?? (() => null),
    wait_ms: config.clock.wait_ms,
    newest_ms: journal.history(journal.position(), 1)[0]?.to_ms ?? null,
  });
  let cancelRun: Cancel = () => {};
  // What is sent before the clock is set cannot be dated any more where it is shown.
  const run = (): void => {
    if (trust.state() === "waiting") cancelRun = timers.after(CLOCK_LOOK_MS, run);
    else void edge.run();
  };
  const gateway = new Gateway({
    config,
    resolveModel: ports.resolveModel,
    factors: ports.factors,
    openBus: ports.openBus,
    journal,
    clock,
    timers,
    log,
    onCommitted: (numbers, isLive) => edge.appended(numbers, isLive),
    onDevice: (device) => edge.deviceChanged(device),
    clockState: () => trust.state(),
  });
  return {
    gateway,
    journal,
    status: () => ({
      gateway: config.gateway,
      site: config.site,
      zone: config.zone,
      version: ports.version,
      meters: gateway.busStatus().flatMap(({ meters }) =>
        meters.map(({ device, model, isAnswering, lastError }) => ({
          id: device,
          model,
          answering: isAnswering,
          error: isAnswering ? null : (lastError?.words ?? null),
        })),
      ),
      counts: gateway.counts,
      journal: journal.status(),
      uplink: edge.status(),
    }),
    run,
    async stop() {
      cancelRun();
      await gateway.stop();
      await edge.stop();
    },
  };
}

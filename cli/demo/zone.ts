import { join } from "node:path";
import type { AgentConfig } from "../../config/files/agent.ts";
import type { CollectorConfig } from "../../config/files/collector.ts";
import { DEMO_FACTORIES, type DemoFactory } from "../../hw-sim/demo.ts";

/** The demo zone as configuration: what `agent.yaml` and `collector.yaml` would say of "KCN Demo". */
export const DEMO_ZONE = "kcn-demo";
const HOST_ID = "zone-collector";
const TIME_ZONE = "Asia/Ho_Chi_Minh";
export const LOOPBACK = "127.0.0.1";
export const DEMO_INTERVAL_MS = 15 * 60_000;
const DAY_MS = 86_400_000;
/** The demo keeps little: a gateway's own default is 4 GiB and 60 days. */
const JOURNAL = { max_bytes: 256 * 1024 * 1024, max_age_ms: 2 * DAY_MS };

export function demoCollector(dataDir: string, port: number): CollectorConfig {
  return {
    zone: { id: DEMO_ZONE, name: { vi: "KCN Demo", en: "Demo zone" }, time_zone: TIME_ZONE },
    host_id: HOST_ID,
    data_dir: join(dataDir, "zone"),
    sites: DEMO_FACTORIES.map(({ site, name, sector, gateway, plan }) => ({
      id: site,
      name,
      sector,
      plan,
      gateways: [gateway],
    })),
    broker: { kind: "embedded", listen: { host: LOOPBACK, port: 0 } },
    store: { kind: "sqlite" },
    listen: { host: LOOPBACK, port },
  };
}

export function demoAgent(
  factory: DemoFactory,
  places: { readonly dataDir: string; readonly modbusPort: number; readonly brokerUrl: string },
): AgentConfig {
  const brokerPort = Number(new URL(places.brokerUrl).port);
  return {
    zone: DEMO_ZONE,
    site: factory.site,
    gateway: factory.gateway,
    data_dir: join(places.dataDir, factory.gateway),
    interval_ms: DEMO_INTERVAL_MS,
    time_zone: TIME_ZONE,
    buses: [
      {
        id: "main",
        url: { kind: "tcp", host: LOOPBACK, port: places.modbusPort, unit: null },
        timeout_ms: 1000,
        meters: factory.meters.map(({ id, name, carrier, role, parent, rated_flow_m3_per_h, sim }) => ({
          id,
          name,
          unit: sim.unit,
          model: sim.model,
          carrier,
          role,
          parent,
          every: { power_ms: 1000, energy_ms: 10_000, settings_ms: 3_600_000 },
          ...(sim.rated_power_W === undefined ? {} : { rated_power_W: sim.rated_power_W }),
          ...(rated_flow_m3_per_h === undefined ? {} : { rated_flow_m3_per_h }),
          ...(sim.m3_per_count === undefined ? {} : { m3_per_count: sim.m3_per_count }),
        })),
      },
    ],
    uplink: {
      url: { kind: "mqtt", host: LOOPBACK, port: brokerPort, url: places.brokerUrl },
      host_id: HOST_ID,
      delivery: "required",
      meter_return: "alone",
    },
    journal: JOURNAL,
    clock: { set_by: { kind: "system" }, wait_ms: 600_000 },
    listen: { host: LOOPBACK, port: 0 },
  };
}

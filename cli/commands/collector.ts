import { fileURLToPath } from "node:url";
import { startCollector } from "../../cloud/main.ts";
import { loadFactors } from "../../config/factors.ts";
import { loadCollectorConfig } from "../../config/load.ts";
import { type Command, endNow, noMoreThan, required, untilStopped } from "../command.ts";
import { identityOf } from "../io/identity.ts";
import { mqttConnector } from "../io/mqtt.ts";
import { serviceNotifier } from "../io/service.ts";
import { systemClock, systemRandom, systemTimers } from "../io/system.ts";
import { createLog } from "../log.ts";
import { version } from "../version.ts";

const command: Command = {
  summary: "run one zone server: broker, store, API, page",
  help: `
khuxanh collector --config FILE

  --config FILE   collector.yaml (see config/examples/collector.yaml)

Receives what the gateways send, stores it, confirms it back, and serves page and API. Ctrl-C stops.`,
  options: { config: { type: "string" } },
  async run(args) {
    noMoreThan(args, 0);
    const config = loadCollectorConfig(required(args, "config"));
    const log = createLog("info");
    const service = serviceNotifier(process.env, systemTimers, log);
    const stopped = untilStopped();
    const { factors, gwpSets } = loadFactors(config.factors_dir);
    const collector = await startCollector(config, {
      factors,
      gwpSets,
      clock: systemClock,
      timers: systemTimers,
      random: systemRandom,
      connector: mqttConnector(config.broker.kind === "external" ? identityOf(config.broker, systemTimers, log) : null),
      log,
      version: version(),
      webDir: webDir(),
      history: () => null,
    });
    service.ready();
    await stopped;
    service.stopping();
    await collector.stop();
    return endNow();
  },
};

/** The built page, found from the sources and from the build. */
export function webDir(): string {
  const fromSources = import.meta.url.endsWith(".ts");
  return fileURLToPath(new URL(fromSources ? "../../dist/web" : "../../web", import.meta.url));
}

export default command;

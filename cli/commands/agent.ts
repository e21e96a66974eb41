import { startAgent } from "../../agent/main.ts";
import { unplannable } from "../../agent/plannedMeter.ts";
import { loadFactors } from "../../config/factors.ts";
import { loadAgentConfig } from "../../config/loadAgent.ts";
import { resolveModel } from "../../config/models.ts";
import { ConfigProblems } from "../../core/errors.ts";
import { type Command, endNow, noMoreThan, required, untilStopped } from "../command.ts";
import { identityOf } from "../io/identity.ts";
import { mqttConnector } from "../io/mqtt.ts";
import { serviceNotifier } from "../io/service.ts";
import { isClockSynchronised, systemClock, systemRandom, systemTimers } from "../io/system.ts";
import { createLog } from "../log.ts";
import { readLook } from "../look.ts";
import { version } from "../version.ts";

const command: Command = {
  summary: "run one gateway: poll meters, journal, account, forward",
  help: `
khuxanh agent --config FILE

  --config FILE   agent.yaml (see config/examples/agent.yaml; khuxanh check FILE says what is wrong with it)

Polls the meters of the file over Modbus, journals every reading in data_dir, computes intervals and emissions and forwards
them by MQTT until the collector has confirmed them. Unreachable meters and brokers are retried for ever. Ctrl-C stops.

Its page is at the \`listen\` address of the file, http://127.0.0.1:8081 if none is given: meters, buses, journal and uplink live.`,
  options: { config: { type: "string" } },
  async run(args) {
    noMoreThan(args, 0);
    const file = required(args, "config");
    const config = loadAgentConfig(file);
    const wrong = unplannable(config, resolveModel);
    if (wrong.length > 0) throw new ConfigProblems(file, wrong);
    const log = createLog("info");
    const service = serviceNotifier(process.env, systemTimers, log);
    const stopped = untilStopped();
    const agent = await startAgent(config, {
      resolveModel,
      factors: loadFactors(config.factors_dir).factors,
      clock: systemClock,
      timers: systemTimers,
      random: systemRandom,
      isClockSynchronised: () => isClockSynchronised(config.clock.set_by),
      connector: mqttConnector(identityOf(config.uplink, systemTimers, log)),
      log,
      version: version(),
      look: readLook,
    });
    agent.gateway.start();
    service.ready();
    await stopped;
    service.stopping();
    await agent.stop();
    return endNow();
  },
};

export default command;

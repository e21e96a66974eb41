import { appendFileSync } from "node:fs";
import { loadSimConfig } from "../../config/load.ts";
import { loadModelLibrary, resolveModel } from "../../config/models.ts";
import { parseDuration } from "../../config/notation/duration.ts";
import { readProfile } from "../../hw-sim/profiles/io.ts";
import { type RunningSim, startSim } from "../../hw-sim/sim.ts";
import { nextTruthBoundary } from "../../hw-sim/truthFile.ts";
import { type Command, optional, required, untilStopped, usage } from "../command.ts";
import { systemClock, systemTimers } from "../io/system.ts";
import { createLog } from "../log.ts";

const command: Command = {
  summary: "run simulated meters on TCP ports",
  help: `
khuxanh sim --config FILE [--truth FILE] [--truth-every 15min]

  --config FILE        sim.yaml (see config/examples/sim.yaml)
  --truth FILE         append what each meter truly counted, as JSON lines, one per meter and boundary
  --truth-every TIME   wall-clock boundaries of the truth file (default 15min; divides a day)

Meters answer as of the wall clock: counters are a pure function of seed and time. Ctrl-C stops.`,
  options: { config: { type: "string" }, truth: { type: "string" }, "truth-every": { type: "string" } },
  async run(args) {
    const config = loadSimConfig(required(args, "config"));
    const every = parseDuration(optional(args, "truth-every") ?? "15min");
    if (!every.ok) throw usage(`--truth-every: ${every.problem}`);
    const stopped = untilStopped();
    const log = createLog("info");
    const models = new Map(loadModelLibrary());
    for (const { model } of config.lines.flatMap(({ meters }) => meters)) models.set(model, resolveModel(model));
    const sim = await startSim(config, { models, clock: systemClock, readProfile });
    for (const { host, port, meters } of sim.lines) {
      log.info("sim.listening", { url: `tcp://${host}:${port}`, units: meters.map(({ unit }) => unit) });
    }
    const truth = optional(args, "truth");
    const stopTruth = truth === undefined ? () => {} : keepTruth(sim, truth, every.value, config.time_zone);
    await stopped;
    stopTruth();
    await sim.close();
    return 0;
  },
};

/** Appends the truth at every boundary; a late timer changes nothing, because the truth is asked for the boundary itself. */
function keepTruth(sim: RunningSim, file: string, every_ms: number, timeZone: string): () => void {
  const append = (at_ms: number): void => {
    const lines = sim.truthAt(at_ms).map((line) => `${JSON.stringify(line)}\n`);
    appendFileSync(file, lines.join(""), { mode: 0o600 });
  };
  let cancel = (): void => {};
  const schedule = (): void => {
    const now_ms = systemClock.now_ms();
    const next_ms = nextTruthBoundary(now_ms, timeZone, every_ms);
    cancel = systemTimers.after(next_ms - now_ms, () => {
      append(next_ms);
      schedule();
    });
  };
  schedule();
  return () => cancel();
}

export default command;

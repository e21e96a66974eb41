import { appendFileSync, readFileSync } from "node:fs";
import { parseFault } from "../../config/files/simFaults.ts";
import { loadSimConfig } from "../../config/load.ts";
import { loadModelLibrary, resolveModel } from "../../config/models.ts";
import { isLoopback } from "../../config/notation/address.ts";
import { parseBusUrl } from "../../config/notation/busUrl.ts";
import { parseDuration } from "../../config/notation/duration.ts";
import { ConfigProblems, KhuXanhError } from "../../core/errors.ts";
import { controlAnswer } from "../../hw-sim/control/control.ts";
import { type ControlServer, serveControl } from "../../hw-sim/control/server.ts";
import { readProfile } from "../../hw-sim/profiles/io.ts";
import { parseCapture } from "../../hw-sim/replay/capture.ts";
import { startReplay } from "../../hw-sim/replay/replay.ts";
import { type RunningSim, startSim } from "../../hw-sim/sim.ts";
import type { SimConfig, SimListen } from "../../hw-sim/simConfig.ts";
import { nextTruthBoundary } from "../../hw-sim/truthFile.ts";
import { type Arguments, type Command, optional, required, untilStopped, usage } from "../command.ts";
import { systemClock, systemTimers } from "../io/system.ts";
import { createLog } from "../log.ts";

const command: Command = {
  summary: "run simulated meters on TCP ports and serial lines, or replay a recorded one",
  help: `
khuxanh sim --config FILE [--truth FILE] [--truth-every 15min]
khuxanh sim --replay FILE [--listen URL] [--unit N] [--model ID_OR_FILE]

  --config FILE        sim.yaml (see config/examples/sim.yaml): meters, loads, lines, faults
  --truth FILE         append what each meter truly counted and every fault, as JSON lines
  --truth-every TIME   wall-clock boundaries of the truth file (default 15min; divides a day)

  --replay FILE        serve the words a real meter gave: a file of \`khuxanh probe --record\`, or any CSV with columns
                       function, register and words (or word_hi, word_lo)
  --listen URL         where (default tcp://127.0.0.1:5020): tcp://, rtu+tcp:// or rtu:///path?baud=9600
  --unit N             the recorded unit's number here (default: as recorded, else 1; several devices: N, N+1, …)
  --model ID           keep the limits and gaps of this model too

A serial line needs a port that is there (rtu:///dev/ttyUSB0?baud=9600), or any other path: there a pseudo terminal is made by
socat for as long as the simulator runs (rtu:///tmp/khu-line?baud=9600). Answers take the time the line would take.

Meters answer as of the wall clock: counters are a pure function of seed and time. With \`control: 127.0.0.1:5080\` in sim.yaml
faults can be commanded meanwhile:
  curl -H 'content-type: application/json' -d '{"kind":"silent","on":{"line":0,"unit":1},"for":"30s"}' http://127.0.0.1:5080/faults
  curl http://127.0.0.1:5080/kinds          what can go wrong
Ctrl-C stops.`,
  options: {
    config: { type: "string" },
    truth: { type: "string" },
    "truth-every": { type: "string" },
    replay: { type: "string" },
    listen: { type: "string" },
    unit: { type: "string" },
    model: { type: "string" },
  },
  run(args) {
    const isReplay = optional(args, "replay") !== undefined;
    const foreign = isReplay ? ["config", "truth", "truth-every"] : ["listen", "unit", "model"];
    const odd = foreign.find((name) => optional(args, name) !== undefined);
    if (odd !== undefined) throw usage(`--${odd} does not go with ${isReplay ? "--replay" : "--config"}`);
    return isReplay ? replay(args) : simulate(args);
  },
};

const DAY_MS = 86_400_000;

async function simulate(args: Arguments): Promise<number> {
  const file = required(args, "config");
  const config: SimConfig = loadSimConfig(file);
  const every = parseDuration(optional(args, "truth-every") ?? "15min");
  if (!every.ok) throw usage(`--truth-every: ${every.problem}`);
  if (DAY_MS % every.value !== 0)
    throw usage("--truth-every does not divide a day (allowed: 1min, 5min, 15min, 1h, …)");
  const truth = optional(args, "truth");
  if (truth !== undefined) append(truth, []);
  const stopped = untilStopped();
  const log = createLog("info");
  const models = new Map(loadModelLibrary());
  for (const { model } of config.lines.flatMap(({ meters }) => meters)) models.set(model, resolveModel(model));
  const sim = await named(
    file,
    startSim(config, {
      ...{ models, clock: systemClock, timers: systemTimers, readProfile },
      onFault(line) {
        const { id, kind, state, unit } = line.fault;
        log.info("sim.fault", { id, kind, state, line: line.fault.line, unit });
        if (truth !== undefined) append(truth, [line]);
      },
      onUnfit: (line, unit, what) =>
        log.warn("sim.value-does-not-fit", {
          line,
          unit,
          what,
          hint: "Give the meter a smaller load, or its ct_ratio if the register counts behind transformers.",
        }),
      onTrouble: (error) => log.error("sim.port", { message: error instanceof Error ? error.message : String(error) }),
    }),
  );
  let control: ControlServer | null = null;
  try {
    if (config.control !== undefined) {
      const parts = { sim, clock: systemClock, parseFault };
      control = await serveControl(config.control, (request) => controlAnswer(parts, request));
    }
  } catch (error) {
    await sim.close();
    throw error;
  }
  for (const { url, meters } of sim.lines) log.info("sim.listening", { url, units: meters.map(({ unit }) => unit) });
  if (control !== null) log.info("sim.control", { url: `http://${control.host}:${control.port}` });
  const stopTruth = truth === undefined ? () => {} : keepTruth(sim, truth, every.value, config.time_zone);
  await stopped;
  stopTruth();
  await control?.close();
  await sim.close();
  return 0;
}

/** What is wrong in a file, as problems of that file. */
async function named<T>(file: string, starting: Promise<T>): Promise<T> {
  try {
    return await starting;
  } catch (error) {
    const problems = error instanceof KhuXanhError ? error.context.problems : undefined;
    if (!(error instanceof KhuXanhError) || !Array.isArray(problems)) throw error;
    if (problems.length > 1) throw new ConfigProblems(file, problems, error.code);
    // One alone keeps its own advice.
    const { code, hint, message } = error;
    throw new KhuXanhError(code, `${file}: ${message.replace(` [${code}]`, "")}`, {
      hint,
      context: { file },
      cause: error,
    });
  }
}

async function replay(args: Arguments): Promise<number> {
  const file = required(args, "replay");
  const listen = listenOf(optional(args, "listen") ?? "tcp://127.0.0.1:5020");
  const unit = optional(args, "unit");
  if (unit !== undefined && !/^([1-9]|[1-9]\d|1\d\d|2[0-4]\d)$/.test(unit)) {
    throw usage(`--unit is ${unit} (allowed: 1 to 247)`);
  }
  const model = optional(args, "model");
  const capture = parseCapture(readCapture(file), file);
  const stopped = untilStopped();
  const log = createLog("info");
  const running = await startReplay(capture, {
    listen,
    firstUnit: unit === undefined ? null : Number(unit),
    model: model === undefined ? null : resolveModel(model),
    clock: systemClock,
    timers: systemTimers,
  });
  for (const { unit: of, device, values, missing } of running.devices) {
    log.info("sim.replaying", { url: running.url, unit: of, device, values, ...(missing === null ? {} : { missing }) });
  }
  await stopped;
  await running.close();
  return 0;
}

function readCapture(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new KhuXanhError("CONFIG_UNREADABLE", `cannot read ${file}`, {
      hint: "Check the path and your rights on the file.",
      context: { file },
      cause,
    });
  }
}

function listenOf(written: string): SimListen {
  const url = parseBusUrl(written);
  if (!url.ok) throw usage(`--listen: ${url.problem}`);
  if (url.value.unit !== null) throw usage("--listen: unit= does not belong here", "Use --unit.");
  if (url.value.kind !== "rtu" && !isLoopback(url.value.host)) {
    const { host } = url.value;
    throw new KhuXanhError("LISTEN_NOT_LOOPBACK", `--listen: ${host} is open to the network`, {
      hint: "Use 127.0.0.1 or localhost: there is no access control yet.",
    });
  }
  return url.value;
}

/** @throws {KhuXanhError} DISK_UNUSABLE. */
function append(file: string, lines: readonly unknown[]): void {
  try {
    appendFileSync(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(""), { mode: 0o600 });
  } catch (cause) {
    throw new KhuXanhError("DISK_UNUSABLE", `cannot write the truth file ${file}`, {
      hint: "Choose a folder you may write to, with room on its disk.",
      context: { file },
      cause,
    });
  }
}

/** Appends the truth at every boundary; a late timer changes nothing, because the truth is asked for the boundary itself. */
function keepTruth(sim: RunningSim, file: string, every_ms: number, timeZone: string): () => void {
  let cancel = (): void => {};
  const schedule = (): void => {
    const now_ms = systemClock.now_ms();
    const next_ms = nextTruthBoundary(now_ms, timeZone, every_ms);
    cancel = systemTimers.after(next_ms - now_ms, () => {
      append(file, sim.truthAt(next_ms));
      schedule();
    });
  };
  schedule();
  return () => cancel();
}

export default command;

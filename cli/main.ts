import { nearest } from "../config/nearest.ts";
import { KhuXanhError } from "../core/errors.ts";
import { type Command, parseCommandLine, usage } from "./command.ts";
import { version } from "./version.ts";

const COMMANDS = {
  demo: () => import("./commands/demo.ts"),
  agent: () => import("./commands/agent.ts"),
  collector: () => import("./commands/collector.ts"),
  sim: () => import("./commands/sim.ts"),
  check: () => import("./commands/check.ts"),
  models: () => import("./commands/models.ts"),
  probe: () => import("./commands/probe.ts"),
  passwd: () => import("./commands/passwd.ts"),
  calc: () => import("./commands/calc.ts"),
  scan: () => import("./commands/scan.ts"),
  ledger: () => import("./commands/ledger.ts"),
  journal: () => import("./commands/journal.ts"),
} as const satisfies Record<string, () => Promise<{ default: Command }>>;

/** Runs `khuxanh ARGS`; returns the exit code: 0 done, 1 failed or refused by the machine, 2 wrong usage or configuration. */
export async function main(args: readonly string[]): Promise<number> {
  try {
    return await dispatch(args);
  } catch (error) {
    return report(error);
  }
}

async function dispatch(args: readonly string[]): Promise<number> {
  const [name = "--help", ...rest] = args;
  if (name === "--version") {
    process.stdout.write(`${version()}\n`);
    return 0;
  }
  if (name === "--help" || name === "help") {
    process.stdout.write(await overview());
    return 0;
  }
  if (!Object.hasOwn(COMMANDS, name)) {
    const near = nearest(name, Object.keys(COMMANDS));
    throw usage(`there is no command "${name}"`, near === undefined ? "Run khuxanh --help." : `Did you mean ${near}?`);
  }
  const command = (await COMMANDS[name as keyof typeof COMMANDS]()).default;
  if (rest.includes("--help") || rest.includes("-h")) {
    process.stdout.write(`${command.summary}\n\n${command.help.trim()}\n`);
    return 0;
  }
  return await command.run(parseCommandLine(rest, command.options));
}

async function overview(): Promise<string> {
  const lines = await Promise.all(
    Object.entries(COMMANDS).map(async ([name, load]) => `  ${name.padEnd(10)} ${(await load()).default.summary}`),
  );
  return [
    "khuxanh - energy and emissions monitor for green industrial zones",
    "",
    "  khuxanh COMMAND [options]      khuxanh COMMAND --help      khuxanh --version",
    "",
    ...lines,
    "",
    "Exit codes: 0 done, 1 failed or refused by the machine, 2 wrong usage or configuration.",
    "",
  ].join("\n");
}

/** One clear message on stderr, what to do next, and the exit code. A stack trace only for a defect of ours. */
function report(error: unknown): number {
  if (!(error instanceof KhuXanhError)) {
    process.stderr.write(`khuxanh: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    return 1;
  }
  process.stderr.write(`khuxanh: ${error.message}\n  ${error.hint}\n`);
  if (error.kind === "Defect") process.stderr.write(`${error.stack}\n`);
  return error.kind === "ConfigError" ? 2 : 1;
}

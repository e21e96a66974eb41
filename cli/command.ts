import { type ParseArgsConfig, parseArgs } from "node:util";
import { KhuXanhError } from "../core/errors.ts";

/** One sub-command: its own file under `commands/`, loaded only when asked for. */
export interface Command {
  readonly summary: string;
  /** Text of `--help`, without the first line. */
  readonly help: string;
  readonly options: NonNullable<ParseArgsConfig["options"]>;
  /** @returns the exit code: 0 done, 1 the thing asked about failed. */
  run(args: Arguments): Promise<number>;
}

export interface Arguments {
  readonly positionals: readonly string[];
  readonly values: Readonly<Record<string, string | boolean | undefined>>;
}

/** @throws {KhuXanhError} USAGE for an unknown or incomplete option. */
export function parseCommandLine(args: readonly string[], options: Command["options"]): Arguments {
  try {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    return { positionals, values: values as Arguments["values"] };
  } catch (cause) {
    throw usage(cause instanceof Error ? (cause.message.split(". ")[0] ?? "") : String(cause));
  }
}

export function usage(message: string, hint = "Run the command with --help."): KhuXanhError {
  return new KhuXanhError("USAGE", message, { hint });
}

/** A text option that must be there. @throws {KhuXanhError} USAGE */
export function required({ values }: Arguments, name: string): string {
  const value = values[name];
  if (typeof value !== "string" || value === "") throw usage(`--${name} is missing`);
  return value;
}

export function optional({ values }: Arguments, name: string): string | undefined {
  const value = values[name];
  return typeof value === "string" ? value : undefined;
}

/** A whole number within limits. @throws {KhuXanhError} USAGE */
export function wholeNumber(args: Arguments, name: string, fallback: number, from: number, to: number): number {
  const text = optional(args, name);
  if (text === undefined) return fallback;
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < from || value > to) {
    throw usage(`--${name} is ${text} (allowed: a whole number from ${from} to ${to})`);
  }
  return value;
}

/** A terminal signals the whole group and a wrapper (npm, tsx) may pass it on: what comes this soon is the same Ctrl-C. */
const SAME_SIGNAL_MS = 1000;

/** Resolves at the first SIGINT or SIGTERM; another one, a while later, ends the process at once. */
export function untilStopped(): Promise<void> {
  return new Promise((resolve) => {
    let asked_ms: number | null = null;
    const stop = (): void => {
      if (asked_ms !== null && performance.now() - asked_ms > SAME_SIGNAL_MS) process.exit(130);
      asked_ms ??= performance.now();
      resolve();
    };
    process.on("SIGINT", stop);
    process.on("SIGTERM", stop);
  });
}

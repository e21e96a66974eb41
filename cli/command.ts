import { type ParseArgsConfig, parseArgs } from "node:util";
import { nearest } from "../config/nearest.ts";
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

/** @throws {KhuXanhError} USAGE for an unknown, incomplete or empty option. */
export function parseCommandLine(args: readonly string[], options: Command["options"]): Arguments {
  // Not strict: what is wrong is said in our own words.
  const parsed = parseArgs({ args: [...args], options, allowPositionals: true, strict: false, tokens: true });
  for (const token of parsed.tokens) if (token.kind === "option") assertOption(token, options);
  return { positionals: parsed.positionals, values: parsed.values as Arguments["values"] };
}

function assertOption(
  {
    name,
    rawName,
    value,
    inlineValue,
  }: Readonly<Record<"name" | "rawName", string>> & {
    readonly value: string | undefined;
    readonly inlineValue: boolean | undefined;
  },
  options: Command["options"],
): void {
  const option = Object.hasOwn(options, name) && rawName.startsWith("--") ? options[name] : undefined;
  if (option === undefined) {
    const near = nearest(name, Object.keys(options));
    throw usage(`there is no option ${rawName}`, near === undefined ? undefined : `Did you mean --${near}?`);
  }
  if (option.type === "boolean") {
    if (value !== undefined) throw usage(`${rawName} takes no value`);
    return;
  }
  // `--data --port 1`: what follows is the next option. A negative number is a value, which the command judges.
  const isNextOption = inlineValue !== true && value !== undefined && /^-(?!\d)./.test(value);
  if (value === undefined || isNextOption) throw usage(`${rawName} needs a value`);
  if (value === "") throw usage(`${rawName} is empty`);
}

export function usage(message: string, hint = "Run the command with --help."): KhuXanhError {
  return new KhuXanhError("USAGE", message, { hint });
}

/** Refuses what stands after the first `count` words that are no options. @throws {KhuXanhError} USAGE */
export function noMoreThan({ positionals }: Arguments, count: number): void {
  const [extra] = positionals.slice(count);
  if (extra !== undefined) throw usage(`"${extra}" is one word too many`);
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

/** A terminal signals the whole group and a wrapper (npm) may pass it on: what comes this soon is the same Ctrl-C. */
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

/** The end of a service that has stopped: a broker that does not answer its CONNECT, or the pause before the next, keeps nobody. */
export function endNow(): never {
  process.exit(0);
}

/**
 * The error taxonomy: five kinds, by what the caller does next, and one table of codes.
 *
 * Defect        stop and restart: our own mistake
 * ConfigError   refuse to start, list all problems with path and nearest spelling (exit code 2)
 * Transient     retry by schedule
 * Refused       set this item aside with the reason, go on
 * Exhausted     apply the written shedding rule, count it, show it
 */
export type ErrorKind = "Defect" | "ConfigError" | "Transient" | "Refused" | "Exhausted";

/** Every code the product can print. README's table of codes is tested against this one. */
export const ERROR_CODES = {
  CONFIG_INVALID: "ConfigError",
  CONFIG_UNREADABLE: "ConfigError",
  SECRET_EXPOSED: "ConfigError",
  USAGE: "ConfigError",
  MODEL_UNKNOWN: "ConfigError",
  MODEL_INVALID: "ConfigError",
  FACTOR_MISSING: "Refused",
  GAP_NOT_FILLED: "Refused",
  COUNTER_RESOLUTION_UNKNOWN: "ConfigError",
  LISTEN_NOT_LOOPBACK: "ConfigError",
  PORT_TAKEN: "Refused",
  DATA_DIR_LOCKED: "Refused",
  DISK_UNUSABLE: "Refused",
  DISK_FULL: "Exhausted",
  JOURNAL_DAMAGED: "Refused",
  STORE_BUSY: "Transient",
  STORE_REFUSED: "Refused",
  METER_SILENT: "Transient",
  METER_EXCEPTION: "Refused",
  METER_REPLY_GARBLED: "Transient",
  BUS_UNREACHABLE: "Transient",
  BUS_LOCKED: "Refused",
  BROKER_UNREACHABLE: "Transient",
  BROKER_REFUSED: "Transient",
  WIRE_MALFORMED: "Refused",
  WIRE_UNKNOWN_ALIAS: "Transient",
  WIRE_TOO_LARGE: "Refused",
  ACK_MALFORMED: "Refused",
  BATCH_CONTENT_DIFFERS: "Refused",
  BOOKS_DISAGREE: "Refused",
  NOT_FOUND: "Refused",
  BAD_REQUEST: "Refused",
  TOO_MANY_CLIENTS: "Exhausted",
  INTERNAL: "Defect",
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof ERROR_CODES;

export interface ErrorDetails {
  /** What the operator should do next, one sentence. */
  readonly hint: string;
  /** Names and numbers of the case, never secrets. */
  readonly context?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/** The one error class. `kind` follows from the code; the code ends the message, so that it survives any log line. */
export class KhuXanhError extends Error {
  readonly code: ErrorCode;
  readonly kind: ErrorKind;
  readonly hint: string;
  readonly context: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, details: ErrorDetails) {
    super(`${message} [${code}]`, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "KhuXanhError";
    this.code = code;
    this.kind = ERROR_CODES[code];
    this.hint = details.hint;
    this.context = details.context ?? {};
  }
}

/** One problem of a file a person wrote: `path: what is wrong (allowed: …; did you mean …?)`. */
export interface Problem {
  readonly path: string;
  readonly message: string;
}

/** All problems of one file at once. */
export class ConfigProblems extends KhuXanhError {
  readonly file: string;
  readonly problems: readonly Problem[];

  constructor(file: string, problems: readonly Problem[], code: ErrorCode = "CONFIG_INVALID") {
    const lines = problems.map((p) => `  ${p.path}: ${p.message}`).join("\n");
    super(code, `${file}: ${problems.length} problem${problems.length === 1 ? "" : "s"}\n${lines}\n`, {
      hint: `Correct the file and run \`khuxanh check ${file}\` again.`,
      context: { file },
    });
    this.file = file;
    this.problems = problems;
  }
}

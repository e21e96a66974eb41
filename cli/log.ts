import { createRequire } from "node:module";
import pino from "pino";
import type { Log } from "../core/ports.ts";

/** Logs go to stderr: JSON lines, or coloured text on a terminal. One event name a line; no secrets are ever passed in. */
export function createLog(level: "debug" | "info" | "warn" | "error" | "silent"): Log {
  const stream = process.stderr.isTTY
    ? // Loaded only where somebody looks: a service writes JSON.
      (createRequire(import.meta.url)("pino-pretty") as typeof import("pino-pretty"))({
        colorize: true,
        ignore: "pid,hostname",
        translateTime: "SYS:HH:MM:ss",
        destination: 2,
        sync: true,
      })
    : pino.destination({ dest: 2, sync: true });
  const logger = pino({ level, base: null, messageKey: "event" }, stream);
  return {
    debug: (event, fields = {}) => logger.debug(fields, event),
    info: (event, fields = {}) => logger.info(fields, event),
    warn: (event, fields = {}) => logger.warn(fields, event),
    error: (event, fields = {}) => logger.error(fields, event),
  };
}

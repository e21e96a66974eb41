import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { isRequired, pathOf } from "../services.ts";
import { freePort } from "./processes.ts";

/**
 * A real Mosquitto on a port of its own: started, stopped, killed and started again on the same port. It keeps nothing on
 * disk, so a restart forgets sessions and retained messages, which is the worst a broker can do to us.
 *
 *   const broker = await startMosquitto();
 *   cleanups.push(() => broker.close());
 */
export interface MosquittoOptions {
  /** Default: a free one. */
  readonly port?: number;
  /** PEM files; with `clientCertificates` only clients whose certificate `ca_file` vouches for may connect. */
  readonly tls?: {
    readonly ca_file: string;
    readonly cert_file: string;
    readonly key_file: string;
    readonly clientCertificates?: boolean;
  };
  /** As `mosquitto_passwd` writes it; without it nobody is asked who they are. */
  readonly password_file?: string;
  readonly acl_file?: string;
  /** Further lines of mosquitto.conf. */
  readonly lines?: readonly string[];
}

export interface Mosquitto {
  readonly port: number;
  /** `mqtt://127.0.0.1:PORT`, or `mqtts://localhost:PORT` with TLS. */
  readonly url: string;
  /** Process id while it runs. */
  readonly pid: number | undefined;
  /** What it wrote so far, all its lives together. */
  log(): string;
  /** SIGTERM ends it cleanly; SIGKILL as a power cut does. Resolves when the process is gone. */
  stop(signal?: "SIGTERM" | "SIGKILL"): Promise<void>;
  /** Again on the same port. */
  start(): Promise<void>;
  /** SIGHUP: reads passwords, access list and certificates afresh. */
  reload(): void;
  /** Stops it and removes its files. */
  close(): Promise<void>;
}

const program = pathOf("mosquitto");
/** For `test.skipIf(withoutMosquitto)`; where services are required a missing one fails. */
export const withoutMosquitto = program === null && !isRequired;

const START_MS = 10_000;

export async function startMosquitto(options: MosquittoOptions = {}): Promise<Mosquitto> {
  if (program === null) throw new Error("mosquitto is not installed");
  const dir = mkdtempSync(join(tmpdir(), "khuxanh-mosquitto-"));
  const port = options.port ?? (await freePort());
  const file = join(dir, "mosquitto.conf");
  writeFileSync(file, configOf(options, port));
  let text = "";
  let child: ChildProcess | null = null;
  const start = async (): Promise<void> => {
    if (child !== null) return;
    const process = spawn(program, ["-c", file], { stdio: ["ignore", "ignore", "pipe"] });
    child = process;
    const begin = text.length;
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`mosquitto does not start:\n${text}`)), START_MS);
      process.once("close", () => {
        clearTimeout(timer);
        if (child === process) child = null;
        reject(new Error(`mosquitto ended:\n${text}`));
      });
      process.stderr.on("data", (chunk) => {
        text += chunk;
        if (!/version \S+ running/.test(text.slice(begin))) return;
        clearTimeout(timer);
        resolve();
      });
    });
  };
  const stop = async (signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<void> => {
    const process = child;
    if (process === null) return;
    const closed = new Promise((resolve) => process.once("close", resolve));
    process.kill(signal);
    await closed;
  };
  const close = async (): Promise<void> => {
    await stop("SIGKILL");
    rmSync(dir, { recursive: true, force: true });
  };
  await start().catch(async (error: unknown) => {
    await close();
    throw error;
  });
  return {
    port,
    url: options.tls === undefined ? `mqtt://127.0.0.1:${port}` : `mqtts://localhost:${port}`,
    get pid() {
      return child?.pid;
    },
    log: () => text,
    stop,
    start,
    reload: () => void child?.kill("SIGHUP"),
    close,
  };
}

function configOf({ tls, password_file, acl_file, lines = [] }: MosquittoOptions, port: number): string {
  return [
    // Otherwise root's Mosquitto becomes another user, who may not read a test's files.
    `user ${userInfo().username}`,
    "persistence false",
    "log_dest stderr",
    "connection_messages true",
    `listener ${port} 127.0.0.1`,
    `allow_anonymous ${password_file === undefined && tls?.clientCertificates !== true}`,
    ...(tls === undefined ? [] : [`cafile ${tls.ca_file}`, `certfile ${tls.cert_file}`, `keyfile ${tls.key_file}`]),
    // The certificate's common name is the user name, as in packaging/mosquitto.
    ...(tls?.clientCertificates === true ? ["require_certificate true", "use_identity_as_username true"] : []),
    ...(password_file === undefined ? [] : [`password_file ${password_file}`]),
    ...(acl_file === undefined ? [] : [`acl_file ${acl_file}`]),
    ...lines,
    "",
  ].join("\n");
}

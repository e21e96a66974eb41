import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import { KhuXanhError } from "../../core/errors.ts";
import type { Timers } from "../../core/ports.ts";
import { openSerialStream, SERIAL_TICK_MS, type SerialSettings } from "../../drivers/modbus/serialPort.ts";
import type { SerialPort } from "./serialLine.ts";

/**
 * The serial port of a line: a device that is there is opened; a path that is not there, outside /dev, becomes a pseudo
 * terminal that lives as long as the line. Node has none of its own, so socat makes it.
 * @throws {KhuXanhError} BUS_UNREACHABLE: no such device, held by another program, or no socat
 */
export function openSerialPort(settings: SerialSettings, timers: Timers): Promise<SerialPort> {
  return existsSync(settings.path) || settings.path.startsWith("/dev/")
    ? openDevice(settings, timers)
    : makePseudoTerminal(settings.path, timers);
}

async function openDevice(settings: SerialSettings, timers: Timers): Promise<SerialPort> {
  const { path } = settings;
  const stream = await openSerialStream(settings).catch((cause: unknown) => {
    throw unreachable(path, cause instanceof Error ? cause.message : String(cause), cause);
  });
  const stopTick = timers.every(SERIAL_TICK_MS, () => {});
  // A port that is pulled out ends the line; there is nobody to answer any more.
  stream.on("error", () => {});
  stream.on("close", stopTick);
  return {
    path,
    takesWireTime: !realpathSync(path).startsWith("/dev/pts/"),
    onData: (heard) => void stream.on("data", heard),
    write: (bytes) => void stream.write(bytes),
    close: () =>
      new Promise((resolve) => {
        if (stream.isOpen) stream.close(resolve);
        else resolve();
      }),
  };
}

function unreachable(path: string, why: string, cause: unknown): KhuXanhError {
  return new KhuXanhError("BUS_UNREACHABLE", `cannot open the serial line ${path}: ${why}`, {
    hint: "Check the path, your rights on it (group dialout), and that no other program holds it.",
    context: { path },
    cause,
  });
}

const READY_MAX_MS = 5000;
const LOOK_MS = 20;

/** socat keeps its end open whatever clients do, and takes its link away when it ends. */
async function makePseudoTerminal(path: string, timers: Timers): Promise<SerialPort> {
  const child = spawn("socat", ["-", `PTY,link=${path},rawer`], { stdio: ["pipe", "pipe", "pipe"] });
  const ended = new Promise<string>((resolve) => {
    let said = "";
    child.stderr.on("data", (text: Buffer) => {
      said = `${said}${text}`.slice(-500);
    });
    child.once("error", (error) => resolve(error.message));
    child.once("close", () => resolve(said.trim().split("\n")[0] ?? ""));
  });
  // Writes to a socat that is gone are nobody's loss.
  child.stdin.on("error", () => {});
  const failed = await Promise.race([ended, made(path, child, timers)]);
  if (failed !== null) {
    child.kill("SIGKILL");
    throw noPseudoTerminal(path, failed);
  }
  return {
    path,
    takesWireTime: false,
    onData: (heard) => void child.stdout.on("data", heard),
    write: (bytes) => void child.stdin.write(bytes),
    async close() {
      child.kill("SIGTERM");
      await ended;
    },
  };
}

/** null when the link is there. */
async function made(path: string, child: ChildProcess, timers: Timers): Promise<string | null> {
  for (let waited = 0; waited < READY_MAX_MS; waited += LOOK_MS) {
    if (existsSync(path)) return null;
    if (child.exitCode !== null) break;
    await new Promise<void>((resolve) => void timers.after(LOOK_MS, resolve));
  }
  return "socat did not make it";
}

function noPseudoTerminal(path: string, why: string): KhuXanhError {
  const isMissing = why.includes("ENOENT");
  return new KhuXanhError(
    "BUS_UNREACHABLE",
    `cannot make a pseudo terminal at ${path}: ${isMissing ? "socat is not installed" : why}`,
    {
      hint: isMissing
        ? "Install socat (apt install socat), or name a serial port that is there."
        : "Choose a path in a folder you may write to, e.g. /tmp/khu-line.",
      context: { path },
    },
  );
}

import { spawn } from "node:child_process";
import type { Cancel, Log, Timers } from "../../core/ports.ts";

/** What the service manager is told of this process (sd_notify(3)). Does nothing where there is none. */
export interface ServiceNotifier {
  /** READY: it works; from now on WATCHDOG is said from the event loop, so that a process that hangs is killed. */
  ready(): void;
  /** STOPPING: the end was asked for. */
  stopping(): void;
}

/** WATCHDOG is said three times in the period after which systemd kills. */
const SHARE = 3;

/**
 * Through `systemd-notify`, which comes with systemd itself: Node has no datagram sockets of the Unix family, and a native module for
 * three words is one more thing to break. It costs a process of some milliseconds each time, and the unit must say
 * NotifyAccess=all. systemd-notify waits until systemd has read the message, so that it is still known whose child it is.
 */
export function serviceNotifier(
  env: Readonly<Record<string, string | undefined>>,
  timers: Timers,
  log: Log,
): ServiceNotifier {
  const socket = env.NOTIFY_SOCKET;
  if (socket === undefined || socket === "") return { ready() {}, stopping() {} };
  let hasFailed = false;
  const say = (...words: string[]): void => {
    const child = spawn("systemd-notify", words, { stdio: "ignore", env: { PATH: env.PATH, NOTIFY_SOCKET: socket } });
    const failed = (why: string): void => {
      if (!hasFailed) log.warn("service.notify-failed", { why, words });
      hasFailed = true;
    };
    child.once("error", (error) => failed(error.message));
    child.once("exit", (code) => {
      if (code !== 0) failed(`systemd-notify ended with ${code}`);
    });
    child.unref();
  };
  const watchdog_ms = Number(env.WATCHDOG_USEC ?? 0) / 1000;
  let stopWatchdog: Cancel = () => {};
  return {
    ready() {
      say("--ready");
      if (watchdog_ms > 0) stopWatchdog = timers.every(watchdog_ms / SHARE, () => say("WATCHDOG=1"));
    },
    stopping() {
      stopWatchdog();
      say("STOPPING=1");
    },
  };
}

import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

interface Need {
  /** The names its program goes by. */
  readonly programs: readonly string[];
  /** Run with these arguments it ends with 0 if it is usable; absent = being there is enough. */
  readonly check?: readonly string[];
}

/** Programs of the system that some tests need, and the names they go by. `.ci/run` installs them from Debian. */
export const SERVICES = {
  chromium: { programs: ["chromium", "chromium-browser", "google-chrome"] },
  socat: { programs: ["socat"] },
  mbpoll: { programs: ["mbpoll"] },
  tshark: { programs: ["tshark"] },
  text2pcap: { programs: ["text2pcap"] },
  // Debian puts it where an ordinary user's PATH does not look.
  mosquitto: { programs: ["mosquitto", "/usr/sbin/mosquitto"] },
  openssl: { programs: ["openssl"] },
  "systemd-analyze": { programs: ["systemd-analyze"] },
  "systemd-notify": { programs: ["systemd-notify"] },
  // Debian's package belongs to Debian's Python, whatever other Python comes first on PATH.
  pymodbus: { programs: ["/usr/bin/python3", "python3"], check: ["-c", "import pymodbus.server.async_io"] },
  libmodbus: { programs: ["gcc", "cc"], check: ["-E", "-include", "modbus/modbus.h", "-x", "c", "/dev/null"] },
} as const satisfies Record<string, Need>;

export type Service = keyof typeof SERVICES;

/** Missing is failing, not skipping: set by `.ci/run`. */
export const isRequired = process.env.KHUXANH_REQUIRE_SERVICES === "1";

/** Path of the service's program (for libmodbus: of the compiler that finds it), or null if it is not installed. */
export function pathOf(service: Service): string | null {
  const { programs, check }: Need = SERVICES[service];
  const folders = (process.env.PATH ?? "").split(delimiter);
  const candidates = programs.flatMap((name) =>
    name.startsWith("/") ? [name] : folders.map((folder) => join(folder, name)),
  );
  return candidates.find((file) => isExecutable(file) && (check === undefined || isUsable(file, check))) ?? null;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function isUsable(file: string, args: readonly string[]): boolean {
  return spawnSync(file, args, { stdio: "ignore", timeout: 20_000 }).status === 0;
}

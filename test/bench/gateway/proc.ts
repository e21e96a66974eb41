import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** What the kernel says of a process. Linux only. */
export interface Spent {
  readonly cpu_s: number;
  readonly rss_MB: number;
  /** Bytes the process made the kernel send to a disk: written pages, whatever their content. */
  readonly write_bytes: number;
}

const TICKS_PER_S = Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));

/** @throws {Error} where there is no /proc, or the process is gone. */
export function spentBy(pid: number): Spent {
  // The name in brackets may hold blanks: fields are counted from behind it.
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ");
  const cpu_s = (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S;
  const rss_kB = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
  const write_bytes = Number(/^write_bytes: (\d+)/m.exec(readFileSync(`/proc/${pid}/io`, "utf8"))?.[1]);
  return { cpu_s, rss_MB: rss_kB / 1024, write_bytes };
}

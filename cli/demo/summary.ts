import type { RunningAgent } from "../../agent/main.ts";
import type { Health } from "../../cloud/api/schemas.ts";
import type { RunningCollector } from "../../cloud/main.ts";
import type { RunningSim } from "../../hw-sim/sim.ts";
import { systemTimers } from "../io/system.ts";

/** What the terminal shows: the address, where to look, one line that updates, how to stop. @returns how to end it. */
export function startSummary(demo: {
  readonly url: string;
  readonly collector: RunningCollector;
  readonly agents: readonly RunningAgent[];
  readonly sim: RunningSim;
  readonly progress: () => Health["history"];
  readonly dataDir: string;
}): () => void {
  const { url, collector, agents, sim, progress, dataDir } = demo;
  const out = process.stdout;
  const modbus = sim.lines.map(({ port }) => `tcp://127.0.0.1:${port}`).join("  ");
  out.write(`
  Khu Xanh demo zone "KCN Demo" is running

  page      ${url}
  API       ${url}/api/docs
  broker    ${collector.brokerUrl}   (Sparkplug B)
  meters    ${modbus}
  data      ${dataDir}   (delete it to start afresh)

  Ctrl-C stops everything.

`);
  const line = (): string => {
    const status = agents.map((agent) => agent.status());
    const sum = (pick: (s: (typeof status)[number]) => number): number =>
      status.reduce((total, s) => total + pick(s), 0);
    const answering = sum(({ meters }) => meters.filter((meter) => meter.answering).length);
    const meters = sum((s) => s.meters.length);
    const history = progress();
    const parts = [
      `${answering}/${meters} meters`,
      `${sum((s) => s.counts.readings).toLocaleString("en")} readings`,
      `${sum((s) => s.counts.intervals).toLocaleString("en")} intervals`,
      `${sum((s) => s.journal.unconfirmed).toLocaleString("en")} batches unconfirmed`,
    ];
    if (history?.running) parts.unshift(`history ${history.done_days}/${history.total_days} days`);
    return `  ${parts.join(" · ")}`;
  };
  const cancel = systemTimers.every(out.isTTY ? 1000 : 30_000, () => {
    out.write(out.isTTY ? `\r\u001b[2K${line()}` : `${line()}\n`);
  });
  return () => {
    cancel();
    out.write(`${out.isTTY ? "\n" : ""}  stopping …\n`);
  };
}

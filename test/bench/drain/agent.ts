/** Child process of the drain benchmark: a journal with a backlog, and the edge node that sends it while live data go on. */
import { join } from "node:path";
import { openJournal } from "../../../agent/journal/journal.ts";
import { sqliteDisk } from "../../../agent/journal/sqliteDisk.ts";
import { EdgeNode } from "../../../agent/uplink/edgeNode.ts";
import { mqttConnector } from "../../../cli/io/mqtt.ts";
import { systemRandom, systemTimers } from "../../../cli/io/system.ts";
import { definitions, EDGE, entryOf, HOST, METERS, wallClock, ZONE } from "./load.ts";

const [url = "", dir = "", batchesText = "0"] = process.argv.slice(2);
const batches = Number(batchesText);
const silent = {
  debug() {},
  info() {},
  warn() {},
  error: (event: string, fields?: object) => console.error(event, fields),
};

const journal = openJournal({
  disk: sqliteDisk(join(dir, "journal")),
  maxBytes: 4 * 1024 ** 3,
  maxAge_ms: 60 * 86_400_000,
  now_ms: wallClock.now_ms,
  random: systemRandom,
  log: silent,
});
const meters = definitions().map((definition) => ({ definition, hash: journal.putDefinition(definition) }));
const polls = Math.ceil(batches / METERS);
const start_ms = Math.floor(wallClock.now_ms() / 1000) * 1000 - polls * 1000;
for (let poll = 0; poll < polls; poll += 20) {
  const entries = Array.from({ length: Math.min(20, polls - poll) }, (_, i) =>
    meters.map(({ definition, hash }) => entryOf(definition, hash, start_ms + (poll + i) * 1000, poll + i)),
  ).flat();
  journal.commit({ entries, state: () => [] });
}
const last = journal.nextNumber() - 1;

const edge = new EdgeNode({
  group: ZONE,
  edge: EDGE,
  hostId: HOST,
  delivery: "required",
  software: "bench",
  site: "bench",
  connect: { url },
  connector: mqttConnector(),
  journal,
  clock: wallClock,
  mono_ms: wallClock.mono_ms,
  timers: systemTimers,
  random: systemRandom,
  log: silent,
  devices: () => meters.map((meter) => ({ ...meter, isAnswering: true, last: new Map() })),
});

process.send?.({ kind: "ready", last });
process.once("message", () => {
  const begin_ms = wallClock.mono_ms();
  const cpu = process.cpuUsage();
  let poll = polls;
  const stopLive = systemTimers.every(1000, () => {
    const at_ms = wallClock.now_ms();
    poll += 1;
    const entries = meters.map(({ definition, hash }) => entryOf(definition, hash, at_ms, poll));
    edge.appended(journal.commit({ entries, state: () => [] }), true);
  });
  let confirmed = 0;
  const stopLook = systemTimers.every(10, () => {
    while (confirmed < last && journal.isConfirmed(confirmed + 1)) confirmed += 1;
    if (confirmed < last) return;
    stopLook();
    stopLive();
    const { user, system } = process.cpuUsage(cpu);
    const { sent, resent, window_bytes } = edge.status();
    const elapsed_s = (wallClock.mono_ms() - begin_ms) / 1000;
    process.send?.({ kind: "done", elapsed_s, cpu_s: (user + system) / 1e6, sent, resent, window_bytes });
    void edge.stop().then(() => {
      journal.close();
      process.disconnect?.();
    });
  });
  void edge.run();
});

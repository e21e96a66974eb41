/** Child process of the drain benchmark: a collector on the embedded store. It notes how old live batches are when committed. */
import { join } from "node:path";
import { mqttConnector } from "../../../cli/io/mqtt.ts";
import { systemRandom, systemTimers } from "../../../cli/io/system.ts";
import { Collector } from "../../../cloud/collector/collector.ts";
import { openSqliteStore } from "../../../cloud/store/sqlite.ts";
import { HOST, wallClock, ZONE } from "./load.ts";

const [url = "", dir = "", lastText = "0"] = process.argv.slice(2);
const last = Number(lastText);
const latencies_ms: number[] = [];
const store = openSqliteStore({ path: join(dir, "zone.sqlite") });
const collector = new Collector({
  hostId: HOST,
  zone: ZONE,
  connect: { url },
  connector: mqttConnector(),
  store: {
    ...store,
    commitBatches(batches) {
      const outcomes = store.commitBatches(batches);
      const now_ms = wallClock.now_ms();
      for (const { number, to_ms } of batches) if (number > last) latencies_ms.push(now_ms - to_ms);
      return outcomes;
    },
  },
  factors: [],
  clock: wallClock,
  timers: systemTimers,
  random: systemRandom,
  log: { debug() {}, info() {}, warn() {}, error: (event, fields) => console.error(event, fields) },
});
void collector.run();
const stop = systemTimers.every(20, () => {
  if (!collector.isConnected) return;
  stop();
  const cpu = process.cpuUsage();
  process.send?.({ kind: "ready" });
  process.once("message", () => {
    const { user, system } = process.cpuUsage(cpu);
    process.send?.({ kind: "done", latencies_ms, cpu_s: (user + system) / 1e6, counts: collector.counts });
    void collector.stop().then(() => {
      store.close();
      process.disconnect?.();
    });
  });
});

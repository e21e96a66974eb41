/** Child process: writes what comes as one blob a row, a transaction per 256 KiB, and says how many are committed. */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { connectAsync } from "mqtt";

const [url = "", dir = "", messagesText = "0"] = process.argv.slice(2);
const messages = Number(messagesText);
const COMMIT_BYTES = 256 * 1024;

const db = new DatabaseSync(join(dir, "bare.sqlite"));
db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE b (id INTEGER PRIMARY KEY, payload BLOB)");
const insert = db.prepare("INSERT INTO b (payload) VALUES (?)");
const client = await connectAsync(url);
let queue: Uint8Array[] = [];
let bytes = 0;
let stored = 0;
const commit = (): void => {
  if (queue.length === 0) return;
  db.exec("BEGIN");
  for (const payload of queue) insert.run(payload);
  db.exec("COMMIT");
  stored += queue.length;
  queue = [];
  bytes = 0;
  client.publish("bench/stored", String(stored));
};
client.on("message", (_topic, payload) => {
  queue.push(payload);
  bytes += payload.length;
  if (bytes >= COMMIT_BYTES || stored + queue.length === messages) commit();
});
setInterval(commit, 50).unref();
await client.subscribeAsync("bench/bare");
process.send?.({ kind: "ready" });
process.once("message", () => {
  void client.endAsync().then(() => {
    db.close();
    process.disconnect?.();
  });
});

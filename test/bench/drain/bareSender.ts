/** Child process: the same bytes to the same broker with nothing around them; as many under way as the receiver allows. */
import { connectAsync } from "mqtt";
import { wallClock } from "./load.ts";

const [url = "", messagesText = "0", bytesText = "0"] = process.argv.slice(2);
const messages = Number(messagesText);
const payload = Buffer.alloc(Number(bytesText), 0x55);
const WINDOW = 2000;
const BURST = 100;

const client = await connectAsync(url);
let sent = 0;
let stored = 0;
let begin_ms = 0;
const pump = (): void => {
  for (let burst = 0; burst < BURST && sent < messages && sent - stored < WINDOW; burst++, sent++) {
    client.publish("bench/bare", payload, { qos: 0 });
  }
  if (sent < messages && sent - stored < WINDOW) setImmediate(pump);
};
client.on("message", (_topic, text) => {
  stored = Number(text.toString());
  if (stored < messages) return pump();
  process.send?.({ kind: "done", elapsed_s: (wallClock.mono_ms() - begin_ms) / 1000 });
  void client.endAsync().then(() => process.disconnect?.());
});
await client.subscribeAsync("bench/stored");
process.send?.({ kind: "ready" });
process.once("message", () => {
  begin_ms = wallClock.mono_ms();
  pump();
});

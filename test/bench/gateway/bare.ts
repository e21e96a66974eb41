/**
 * The least that reads the same meters and says their values to the same broker: modbus-serial, mqtt.js and a timer. It keeps
 * nothing, so that whatever it sends into an outage or dies with is lost.
 */
import { createRequire } from "node:module";
import { connectAsync } from "mqtt";

const ModbusRTU = createRequire(import.meta.url)("modbus-serial") as typeof import("modbus-serial").default;
const [broker, units, ...ports] = process.argv.slice(2).map(Number);
const COUNT = 74;

const client = await connectAsync(`mqtt://127.0.0.1:${broker}`, { reconnectPeriod: 1000 });
client.on("error", () => {});
const lines = await Promise.all(
  ports.map(async (port) => {
    const line = new ModbusRTU();
    await line.connectTCP("127.0.0.1", { port });
    line.setTimeout(500);
    return line;
  }),
);

async function tick(): Promise<void> {
  await Promise.all(
    lines.map(async (line, l) => {
      for (let unit = 1; unit <= units!; unit++) {
        line.setID(unit);
        const reply = await line.readInputRegisters(0, COUNT).catch(() => null);
        if (reply === null) continue;
        const { buffer } = reply;
        const values: number[] = [];
        for (let at = 0; at < 36; at += 2) values.push(buffer.readFloatBE(2 * at));
        values.push(buffer.readFloatBE(2 * 70), buffer.readFloatBE(2 * 72));
        if (client.connected)
          client.publish(`bare/${l}/${unit}`, JSON.stringify({ at: Date.now(), values }), { qos: 0 });
      }
    }),
  );
}

const beat = (): void => {
  const now = Date.now();
  // A third of a second after the agent's own polls.
  const next = Math.floor((now - 333) / 1000) * 1000 + 1333;
  setTimeout(() => void tick().finally(beat), next - now);
};
void tick().finally(beat);

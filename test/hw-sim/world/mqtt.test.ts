import { createWorld } from "../../../hw-sim/world/world.ts";
import { mqttContract } from "../../contract/mqtt.ts";
import { settling } from "../../sim/settle.ts";

const STEP_MS = 50;
const LIMIT_MS = 60_000;

mqttContract("the simulated network and broker", async () => {
  const world = createWorld({ seed: 1, origin_ms: Date.parse("2026-11-02T08:00:00+07:00"), settle: settling() });
  const move = (): Promise<void> => world.scheduler.run(world.scheduler.now_ms + STEP_MS);
  const until = async (what: string, isTrue: () => boolean): Promise<void> => {
    const from_ms = world.scheduler.now_ms;
    for (; !isTrue(); await move()) {
      if (world.scheduler.now_ms - from_ms > LIMIT_MS) throw new Error(`gave up waiting until ${what}`);
    }
  };
  return {
    connector: world.network.connectorOf(world.machine("test").start()),
    url: "mqtt://broker",
    async of(promise) {
      let isSettled = false;
      promise.then(
        () => (isSettled = true),
        () => (isSettled = true),
      );
      await until("it is settled", () => isSettled);
      return promise;
    },
    until,
    async stopBroker() {
      world.broker.stop({ how: "process-killed", keepsRetained: false });
    },
    async close() {},
  };
});

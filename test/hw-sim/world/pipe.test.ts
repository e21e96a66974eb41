import { expect, test } from "vitest";
import { Pipe } from "../../../hw-sim/world/pipe.ts";
import { stream } from "../../../hw-sim/world/random.ts";
import { Scheduler } from "../../../hw-sim/world/scheduler.ts";
import { settling } from "../../sim/settle.ts";

test("a late piece comes after all that was sent before it, and what is behind it passes it", async () => {
  const scheduler = new Scheduler(settling());
  const pipe = new Pipe(scheduler, stream(1, "pipe"), { least_ms: 2, most_ms: 20 });
  const came: string[] = [];
  for (let i = 0; i < 100; i++) pipe.send(() => void came.push(`before ${i}`));
  pipe.send(() => void came.push("late"), 1);
  for (let i = 0; i < 100; i++) pipe.send(() => void came.push(`behind ${i}`));
  await scheduler.run(1000);
  expect(came).toHaveLength(201);
  expect(came.slice(0, 100)).toEqual(Array.from({ length: 100 }, (_, i) => `before ${i}`));
  expect(came.indexOf("late")).toBeGreaterThan(100);
});

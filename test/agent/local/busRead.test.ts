import { expect, test } from "vitest";
import { Pace, parseRead } from "../../../agent/local/busRead.ts";

const parse = (query: string) => parseRead(new URLSearchParams(query), 700);

test("a whole question is a read, with the bus's own timeout unless one is given", () => {
  const read = { unit: 1, fc: 3, address: 3000, count: 2, timeout_ms: 700 };
  expect(parse("bus=main&unit=1&fc=3&address=3000&count=2")).toEqual({ ok: true, value: { bus: "main", read } });
  expect(parse("bus=main&unit=1&fc=3&address=3000&count=2&timeout_ms=90")).toEqual({
    ok: true,
    value: { bus: "main", read: { ...read, timeout_ms: 90 } },
  });
});

test.each([
  ["unit=1&fc=3&address=0&count=1", "bus is missing"],
  ["bus=m&unit=1&fc=6&address=0&count=1", "fc must be"],
  ["bus=m&unit=1&fc=16&address=0&count=1", "fc must be"],
  ["bus=m&unit=256&fc=3&address=0&count=1", "unit must be"],
  ["bus=m&unit=1&fc=3&address=-1&count=1", "address must be"],
  ["bus=m&unit=1&fc=3&address=0x10&count=1", "address must be"],
  ["bus=m&unit=1&fc=3&address=0&count=126", "count must be"],
  ["bus=m&unit=1&fc=3&address=0&count=0", "count must be"],
  ["bus=m&unit=1&fc=3&address=65535&count=2", "beyond 65536"],
  ["bus=m&unit=1&fc=3&address=0&count=1&value=7", "unknown parameter value"],
  ["bus=m&unit=1&unit=2&fc=3&address=0&count=1", "unit stands twice"],
  ["bus=m&unit=1&fc=3&address=0&count=1&timeout_ms=60000", "timeout_ms must be"],
])("%s is refused: %s", (query, problem) => {
  expect(parse(query)).toMatchObject({ ok: false, problem: expect.stringContaining(problem) });
});

test("no more than twenty a second are granted, and the refusal says how long to wait", () => {
  let at_ms = 0;
  const pace = new Pace(20, () => at_ms);
  let granted = 0;
  for (; at_ms < 1000; at_ms++) if (pace.take() === 0) granted += 1;
  expect(granted).toBe(20);
  expect(pace.take()).toBe(0);
  at_ms += 10;
  expect(pace.take()).toBe(40);
});

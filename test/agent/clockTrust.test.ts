import { expect, test } from "vitest";
import { ClockTrust } from "../../agent/clockTrust.ts";

const WAIT_MS = 600_000;
const NOW = Date.UTC(2026, 2, 2);

function gateway(change: {
  readonly now_ms?: number;
  readonly newest_ms?: number | null;
  readonly says?: boolean | null;
}) {
  const it = { now_ms: NOW, mono_ms: 5000, says: null as boolean | null, ...change };
  const trust = new ClockTrust({
    clock: { now_ms: () => it.now_ms, mono_ms: () => it.mono_ms },
    isSynchronised: () => it.says,
    wait_ms: WAIT_MS,
    newest_ms: change.newest_ms ?? null,
  });
  return { it, trust };
}

test("a clock that nothing speaks against is believed", () => {
  expect(gateway({}).trust.state()).toBe("set");
  expect(gateway({ newest_ms: NOW - 5 }).trust.state()).toBe("set");
  expect(gateway({ newest_ms: NOW + 1_800_000 }).trust.state()).toBe("set");
});

test.each([
  ["the system says it was not set", { says: false }],
  ["it stands in 1970", { now_ms: 60_000 }],
])("if %s it is waited for, for as long as it is said", (_, change) => {
  const { it, trust } = gateway(change);
  expect(trust.state()).toBe("waiting");
  it.mono_ms += WAIT_MS - 1;
  expect(trust.state()).toBe("waiting");
  it.mono_ms += 1;
  expect(trust.state()).toBe("unset");
});

test("a clock that stands long before what is in the journal is waited for, and then believed", () => {
  const { it, trust } = gateway({ newest_ms: NOW + 86_400_000 });
  expect(trust.state()).toBe("waiting");
  it.mono_ms += WAIT_MS;
  expect(trust.state()).toBe("set");
});

test("as soon as it is set it is believed, and stays so", () => {
  const { it, trust } = gateway({ now_ms: 60_000, says: false });
  expect(trust.state()).toBe("waiting");
  it.now_ms = NOW;
  it.says = true;
  expect(trust.state()).toBe("set");
  it.says = false;
  it.now_ms = 0;
  expect(trust.state()).toBe("set");
});

test("a system that says it is set is believed whatever the journal says", () => {
  expect(gateway({ says: true, newest_ms: NOW + 1e12 }).trust.state()).toBe("set");
});

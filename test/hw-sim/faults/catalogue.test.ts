import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { faultFindings, parseFault } from "../../../config/files/simFaults.ts";
import type { FaultSpec } from "../../../hw-sim/faults/catalogue.ts";
import { FAULT_KINDS, FAULTS } from "../../../hw-sim/faults/catalogue.ts";
import { faultBook } from "../../../hw-sim/faults/faultBook.ts";

const REQUIRED: Readonly<Record<string, object>> = { "clock-jump": { by: "-2h" } };
const written = (kind: string, more: object = {}) => ({ kind, on: { line: 0 }, ...REQUIRED[kind], ...more });

function parsed(document: unknown): FaultSpec {
  const result = parseFault(document);
  if (!result.ok) throw new Error(JSON.stringify(result.findings));
  return result.fault;
}

function problems(document: unknown): readonly string[] {
  const result = parseFault(document);
  return result.ok ? [] : result.findings.map(({ path, message }) => `${path}: ${message}`);
}

test("every kind of the catalogue can be written, and no other", () => {
  for (const kind of FAULT_KINDS) expect(parsed(written(kind)).what.kind).toBe(kind);
  const [message] = problems(written("no-such"));
  for (const kind of FAULT_KINDS) expect(message).toContain(kind);
  expect(message?.match(/[a-z-]+(?=[,;)])/g)).toHaveLength(FAULT_KINDS.length);
});

test("every kind takes the parameters of its row, and the times of its timing", () => {
  const VALUES: Readonly<Record<string, unknown>> = {
    ...{ delay: "2s", code: 11, requests: 5, bytes: 7, pieces: 4, pause: "3ms", silent: "1s", by: "1h" },
    ...{ quantity: "frequency", serial: 4711, start: 3.5, phase: 2 },
  };
  for (const [kind, { parameters, timing, scope }] of Object.entries(FAULTS)) {
    for (const [name, value] of Object.entries(VALUES)) {
      const isTaken = problems(written(kind, { [name]: value })).length === 0;
      expect([kind, name, isTaken]).toEqual([kind, name, (parameters as readonly string[]).includes(name)]);
    }
    const takes = (more: object) => problems(written(kind, more)).length === 0;
    expect([kind, takes({ at: "+30s" })]).toEqual([kind, timing === "instant"]);
    expect([kind, takes({ from: "+30s", for: "1s" })]).toEqual([kind, timing !== "instant"]);
    expect([kind, takes({ every: "1h", for: "1s" })]).toEqual([kind, timing === "span"]);
    const isDrawn = scope === "reply" || kind === "reset" || kind === "half-open";
    expect([kind, takes({ probability: 0.5 })]).toEqual([kind, isDrawn]);
  }
});

test("what hits connections cannot be asked of a serial line, whatever the kind", () => {
  const lines = [{ listen: "rtu:///tmp/x", meters: [{ unit: 1 }] }];
  for (const [kind, { scope }] of Object.entries(FAULTS)) {
    const found = faultFindings({ lines, faults: [written(kind)] });
    expect([kind, found.length]).toEqual([kind, scope === "connection" ? 1 : 0]);
  }
});

test("what hits the meter itself takes no connection, and what hits the port no unit, in a file as by command", () => {
  const lines = [{ listen: "tcp://127.0.0.1:5020", meters: [{ unit: 1 }] }];
  const options = { seed: 1, lines: [{ units: new Set([1]), hasConnections: true }], canMoveClock: true };
  for (const [kind, { scope }] of Object.entries(FAULTS)) {
    const isOfPort = kind === "refused" || kind === "one-connection";
    for (const [on, isRefused] of [
      [{ line: 0, connection: 1 }, scope === "meter"],
      [{ line: 0, unit: 1 }, isOfPort],
    ] as const) {
      const found = faultFindings({ lines, faults: [{ ...written(kind), on }] });
      expect([kind, on, found.length]).toEqual([kind, on, isRefused ? 1 : 0]);
      const when = kind === "rollover" ? { at: "+1min" } : {};
      const add = () => faultBook(options).add(parsed({ ...written(kind), ...when, on }), 0);
      if (isRefused) expect(add, kind).toThrow(/\(allowed: line, (unit|connection)\)/);
      else expect(add, kind).not.toThrow();
    }
  }
});

test("a default may be written out: a restart that is silent for nothing", () => {
  const what = (more: object) => parsed(written("reboot", more)).what;
  expect(what({ silent: "0ms" })).toEqual({ kind: "reboot", silent_ms: 0 });
  expect(what({})).toEqual(what({ silent: "0s" }));
  expect(problems(written("reboot", { silent: "-1s" }))).toHaveLength(1);
  expect(problems(written("slow", { delay: "0ms" }))[0]).toMatch(/must be longer than 0/);
});

test("times become instants and lengths in ms", () => {
  const spec = parsed({
    ...{ kind: "slow", id: "a-1", on: { line: 2, unit: 5, connection: 3 }, delay: "1.5s" },
    ...{ from: "2026-03-02T10:00:00+07:00", every: "1h", for: "30s", probability: 0.25 },
  });
  expect(spec).toEqual({
    ...{ id: "a-1", on: { line: 2, unit: 5, connection: 3 }, what: { kind: "slow", delay_ms: 1500 } },
    from: { kind: "at", at_ms: Date.UTC(2026, 2, 2, 3) },
    ...{ for_ms: 30_000, every_ms: 3_600_000, probability: 0.25 },
  });
  expect(parsed(written("clock-jump", { by: "-15min" })).what).toEqual({ kind: "clock-jump", by_ms: -900_000 });
});

test.each<[string, object, string]>([
  ["an instant without its offset", { from: "2026-03-02T10:00:00" }, 'from: "2026-03-02T10:00:00" is no instant'],
  ["a wrong duration", { for: "5 minutes" }, "did you mean 5min?"],
  ["an id with a slash", { id: "a/b" }, 'id: "a/b" is no id'],
  ["a probability above one", { probability: 2 }, "probability: 2 is too big (allowed: at most 1)"],
  ["a span as long as its period", { for: "1h", every: "1h" }, "for: is as long as `every` or longer"],
])("%s is refused in words", (_name, more, message) => {
  expect(problems(written("silent", more)).join("\n")).toContain(message);
});

test("the table of README.md is the catalogue", () => {
  const text = readFileSync(new URL("../../../hw-sim/README.md", import.meta.url), "utf8");
  const rows = [...text.matchAll(/^\| `([a-z-]+)` \| (\w+) \| (\w+) \| (.*?) \| (.*) \|$/gm)].map(
    ([, ...cells]) => cells,
  );
  expect(rows).toEqual(
    Object.entries(FAULTS).map(([kind, { scope, timing, parameters, does }]) => [
      ...[kind, scope, timing, parameters.map((name) => `\`${name}\``).join(", "), does],
    ]),
  );
});

import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { createAccountant } from "../../agent/account/accountant.ts";
import { encodeContent } from "../../agent/account/contentRecord.ts";
import { type Journal, openJournal } from "../../agent/journal/journal.ts";
import { entryOf } from "../../agent/journal/losses.ts";
import { EXPORT_COLUMNS } from "../../agent/journal/rows.ts";
import { sampleEntry } from "../../agent/journal/sample.ts";
import { sqliteDisk } from "../../agent/journal/sqliteDisk.ts";
import type { Sample } from "../../core/reading/reading.ts";
import { defineDevice } from "../../drivers/define.ts";
import { decodeSample } from "../../drivers/modbus/decode.ts";
import { tempDir } from "../agent/journal/fixture.ts";
import { factor } from "../core/emission/fixture.ts";
import { ACCOUNT, model, register, setup } from "../drivers/devices.ts";

const bin = fileURLToPath(new URL("../../cli/bin.ts", import.meta.url));
const START_MS = Date.parse("2026-03-02T10:00:00+07:00");

const METER = defineDevice(
  model([
    register({
      name: "active_energy_import_total",
      quantity: "active_energy_import_total",
      type: "u32",
      unit: "kWh",
      scale: 0.001,
      kind: "counter",
    }),
  ]),
  setup("electricity", { id: "lò, số 1" }),
  ACCOUNT,
);

/** A gateway's data folder with half an hour in its journal, which an agent still holds open. */
function gateway(): { readonly config: string; readonly journal: Journal; open(): Journal } {
  const dir = tempDir();
  writeFileSync(
    join(dir, "agent.yaml"),
    `zone: z
site: s
gateway: gw
data_dir: ./data
buses:
  - {id: main, url: "tcp://127.0.0.1:1", meters: [{id: m, unit: 1, model: eastron-sdm630, carrier: electricity, role: import}]}
uplink: {url: "mqtt://127.0.0.1:1"}
`,
  );
  mkdirSync(join(dir, "data"));
  const open = () =>
    openJournal({
      disk: sqliteDisk(join(dir, "data", "journal")),
      maxBytes: 1e9,
      maxAge_ms: 1e12,
      now_ms: () => START_MS,
      random: { unit: () => 0.5, hex: () => "00000000000000aa" },
      log: { debug() {}, info() {}, warn() {}, error() {} },
    });
  const journal = open();
  onTestFinished(() => journal.close());
  const definition = journal.putDefinition(METER);
  journal.setState(`definition:${METER.device}`, definition);
  const accountant = createAccountant(METER, [factor()]);
  for (let minute = 0; minute <= 30; minute += 5) {
    const sample: Sample = {
      device: METER.device,
      at_ms: START_MS + minute * 60_000,
      mono_ms: minute * 60_000,
      blocks: [{ fc: 3, address: METER.registers[0]!.register.address, words: Uint16Array.of(0, 1000 + minute) }],
      failures: [],
    };
    const { intervals, emissions } = accountant.take(sample, decodeSample(METER, sample), sample.at_ms, 1);
    const books = {
      device: METER.device,
      from_ms: sample.at_ms - 900_000,
      to_ms: sample.at_ms,
      kind: "content",
    } as const;
    const entries = [sampleEntry({ sample, definition, boot: 1, clock: "set" })];
    if (intervals.length > 0) entries.push({ ...books, body: encodeContent(intervals, emissions) });
    journal.commit({ entries, state: () => [] });
  }
  journal.noteLoss({
    device: null,
    from_ms: START_MS,
    to_ms: START_MS + 1000,
    count: 3,
    what: "samples",
    why: "disk-full",
    batches: null,
  });
  journal.confirm([{ first: 1, last: 2 }]);
  journal.commit({ entries: [], state: () => [] });
  return { config: join(dir, "agent.yaml"), journal, open };
}

function khuxanh(...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [bin, "journal", ...args], { encoding: "utf8" });
  return { status, stdout, stderr, lines: stdout.split(/\r?\n/).filter((line) => line !== "") };
}

test("status says what is held while its agent runs, as text and as one document", () => {
  const { config } = gateway();
  const { status, stdout } = khuxanh("status", "--config", config, "--json");
  expect(status).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    epoch: "00000000000000aa",
    batches: 10,
    unconfirmed: 8,
    oldest_unconfirmed: "2026-03-02T03:10:00.000Z",
    segments: 1,
    lost: 3,
    gave_way: null,
    set_aside: [],
    losses: [{ count: 3, what: "samples", why: "disk-full", batches: null, device: null }],
  });
  expect(khuxanh("status", "--config", config).stdout).toMatch(
    /10 numbered, 8 not confirmed[\s\S]*3 samples of the gateway/,
  );
});

test("export as CSV has the documented columns, UTF-8 and quotes by RFC 4180", () => {
  const { config } = gateway();
  for (const [kind, rows] of [
    ["readings", 7],
    ["intervals", 2],
    ["emissions", 2],
    ["losses", 1],
    ["raw", 7],
  ] as const) {
    const { stdout, lines } = khuxanh("export", "--config", config, "--kind", kind);
    expect(lines[0]).toBe(EXPORT_COLUMNS[kind].join(","));
    expect(lines, kind).toHaveLength(rows + 1);
    expect(stdout.endsWith("\r\n")).toBe(true);
  }
  expect(khuxanh("export", "--config", config).lines[1]).toBe(
    '2026-03-02T03:00:00.000Z,"lò, số 1",active_energy_import_total,1,kWh,good,,1,true',
  );
  expect(khuxanh("export", "--config", config, "--kind", "intervals").lines[1]).toMatch(
    /^2026-03-02T03:00:00.000Z,2026-03-02T03:15:00.000Z,"lò, số 1",active_energy_import_total,0.015,kWh,/,
  );
});

test("export as NDJSON gives an object a line, within a period and for a device", () => {
  const { config } = gateway();
  const of = (...args: string[]) =>
    khuxanh("export", "--config", config, "--format", "ndjson", ...args).lines.map((line) => JSON.parse(line));
  expect(of("--from", "2026-03-02T10:10:00+07:00", "--to", "2026-03-02T10:20:00+07:00")).toMatchObject([
    {
      at: "2026-03-02T03:10:00.000Z",
      value: 1.01,
      unit: "kWh",
      quality: "good",
      why: null,
      batch: 3,
      confirmed: false,
    },
    { at: "2026-03-02T03:15:00.000Z" },
  ]);
  expect(of("--from", "2026-03-03")).toEqual([]);
  expect(of("--device", "nobody")).toEqual([]);
  expect(of("--kind", "emissions")).toMatchObject([{ gas: "co2", unit: "mg", scope: 2 }, { gas: "co2" }]);
});

test("tail shows the newest records as text", () => {
  const { config } = gateway();
  const { lines } = khuxanh("tail", "--config", config, "--lines", "3");
  expect(lines).toHaveLength(3);
  expect(lines.at(-1)).toMatch(/^loss .*disk-full/);
  expect(khuxanh("tail", "--config", config, "--kind", "raw", "--lines", "1").lines[0]).toMatch(/0000 0406/);
  const { stdout } = khuxanh("tail", "--config", config, "--lines", "3", "--json");
  const objects = JSON.parse(stdout) as Record<string, unknown>[];
  expect(objects.map(({ record }) => record)).toEqual(lines.map((line) => line.split(" ")[0]));
  expect(objects.at(-1)).toMatchObject({ record: "loss", count: 3, why: "disk-full" });
});

test("records of the node that are no losses take no line of a tail", () => {
  const { config, journal } = gateway();
  journal.commit({
    entries: [entryOf({ kind: "polls", at_ms: START_MS, boot: 1, from_ms: START_MS, to_ms: START_MS + 1, meters: [] })],
    state: () => [],
  });
  expect(khuxanh("tail", "--config", config, "--lines", "1").lines[0]).toMatch(/^loss /);
});

test("wrong use is said with what is allowed, and no journal is no crash", () => {
  const { config } = gateway();
  expect(khuxanh("--config", config)).toMatchObject({
    status: 2,
    stderr: expect.stringContaining("status, tail or export"),
  });
  expect(khuxanh("export", "--config", config, "--kind", "reading")).toMatchObject({
    status: 2,
    stderr: expect.stringContaining("Did you mean readings?"),
  });
  expect(khuxanh("export", "--config", config, "--from", "yesterday").status).toBe(2);
  for (const wrong of [
    ["status", "now"],
    ["export", "--json"],
    ["status", "--lines", "3"],
  ]) {
    expect(khuxanh(...wrong, "--config", config), wrong.join(" ")).toMatchObject({ status: 2, stdout: "" });
  }
  const empty = tempDir();
  writeFileSync(
    join(empty, "agent.yaml"),
    "zone: z\nsite: s\ngateway: gw\ndata_dir: ./none\nbuses: []\nuplink: {url: 'mqtt://h'}\n",
  );
  const { status, stderr } = khuxanh("status", "--config", join(empty, "agent.yaml"));
  expect([1, 2]).toContain(status);
  expect(stderr).toMatch(/\[(NOT_FOUND|CONFIG_INVALID)\]/);
});

test("damage to what was delivered is announced, and a record with its time after the agent's next start", () => {
  const { config, journal, open } = gateway();
  journal.confirm([{ first: 1, last: 10 }]);
  journal.close();
  const file = new DatabaseSync(join(dirname(config), "data", "journal", "000000000001.sqlite"));
  file.exec("UPDATE rows SET blob = zeroblob(length(blob)) WHERE key = 4; VACUUM");
  file.close();
  expect(khuxanh("status", "--config", config).stdout).toMatch(
    /unreadable 0 files and 1 chunk; what is missing is a loss record after the agent's next start/,
  );
  const said = JSON.parse(khuxanh("status", "--config", config, "--json").stdout);
  expect(said).toMatchObject({ damaged: ["000000000001.sqlite"], unreadable: { files: 0, chunks: 1 }, batches: 10 });
  const { lines, stderr } = khuxanh("export", "--config", config);
  expect(lines).toHaveLength(1 + 6);
  expect(stderr).toMatch(/000000000001\.sqlite: damaged; what is sound in it is shown/);
  open().close();
  const { stdout } = khuxanh("status", "--config", config);
  expect(stdout).toMatch(/lost {7}4, in 2 records/);
  expect(stdout).toMatch(/1 confirmed batches of the gateway's own history \(delivered before\), 2026-03-02T03:1/);
  expect(stdout).not.toMatch(/unreadable|damaged:/);
});

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { WatchedFile } from "../../cloud/watchedFile.ts";
import { loadFills } from "../../config/load.ts";
import { recordingLog } from "../recordingLog.ts";
import { HandTimers } from "./api/zone.ts";

const fill = (name: string) => `
  - name: ${name}
    meter: gw-01/furnace
    from: 2026-10-01T00:00
    to: 2026-10-02T00:00
    author: Nguyễn Văn An
    conservative: {total: "9000", unit: kWh, method: highest day of the year, document: memo 3}
`;

function onDisk(text: string) {
  const folder = mkdtempSync(join(tmpdir(), "khuxanh-watched-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "fills.yaml");
  writeFileSync(path, text);
  return { path, write: (next: string) => writeFileSync(path, next) };
}

test("a file that changed is read again, one that did not is left alone, and a wrong one changes nothing", () => {
  const file = onDisk(`fills:${fill("first")}`);
  const watched = new WatchedFile(file.path, () => loadFills(file.path));
  const names = () => watched.value.fills.map(({ name }) => name);
  const timers = new HandTimers();
  const log = recordingLog();
  const told: number[] = [];
  const stop = watched.watch(timers, log, ({ fills }) => told.push(fills.length));
  timers.advance(60_000);
  expect([names(), told]).toEqual([["first"], []]);

  file.write(`fills:${fill("first")}${fill("second")}`);
  timers.advance(10_000);
  expect([names(), told]).toEqual([["first", "second"], [2]]);

  file.write("fills: [{name: third, meter: [}]");
  timers.advance(30_000);
  expect([names(), told]).toEqual([["first", "second"], [2]]);
  expect(log.events.filter(({ event }) => event === "config.file-does-not-hold")).toHaveLength(1);

  stop();
  file.write("fills: []");
  timers.advance(60_000);
  expect(names()).toHaveLength(2);
});

test("a server does not start on a file that does not hold", () => {
  const { path } = onDisk("fills: 7");
  expect(() => new WatchedFile(path, () => loadFills(path))).toThrow(/fills/);
});

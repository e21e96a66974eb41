import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test } from "vitest";
import { isRequired, pathOf } from "../services.ts";

const folder = fileURLToPath(new URL("../../packaging/systemd/", import.meta.url));
const UNITS = readdirSync(folder).filter((name) => name.endsWith(".service"));
const program = pathOf("systemd-analyze");
const isSkipped = program === null && !isRequired;
const skipped = isSkipped ? ", skipped: needs systemd-analyze" : "";

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const clean of cleanups.splice(0)) clean();
});

/** The unit with a program that is there, in place of the one under /opt. */
function installed(unit: string): string {
  const dir = mkdtempSync(join(tmpdir(), "khuxanh-test-"));
  cleanups.push(() => rmSync(dir, { recursive: true, force: true }));
  const file = join(dir, unit);
  const text = readFileSync(join(folder, unit), "utf8");
  writeFileSync(
    file,
    text.replace(/^ExecStart=\S+/m, `ExecStart=${process.execPath}`).replace(/^Documentation=.*\n/m, ""),
  );
  return file;
}

test("there is a unit for the agent and one for the collector", () => {
  expect(UNITS).toEqual(["khuxanh-agent.service", "khuxanh-collector.service"]);
});

describe.each(UNITS)("%s", (unit) => {
  const text = readFileSync(join(folder, unit), "utf8");

  test.skipIf(isSkipped)(`systemd finds nothing wrong in it${skipped}`, () => {
    const { status, stdout, stderr } = spawnSync(program!, ["verify", "--man=no", installed(unit)], {
      encoding: "utf8",
    });
    // Of the machine's own units it may complain; of ours it may not.
    const ours = `${stdout}${stderr}`.split("\n").filter((line) => line.includes("khuxanh"));
    expect(ours).toEqual([]);
    expect(status).toBe(0);
  });

  test.skipIf(isSkipped)(`its exposure is what systemd calls OK${skipped}`, () => {
    const { stdout } = spawnSync(program!, ["security", "--offline=yes", "--no-pager", installed(unit)], {
      encoding: "utf8",
    });
    const exposure = /Overall exposure level for \S+: ([\d.]+)/.exec(stdout);
    expect(Number(exposure?.[1])).toBeLessThan(2.5);
  });

  test("starts again whatever happens, except with a wrong configuration", () => {
    expect(text).toMatch(/^Restart=always$/m);
    expect(text).toMatch(/^RestartPreventExitStatus=2$/m);
    expect(text).toMatch(/^StartLimitIntervalSec=0$/m);
  });

  test("runs without any capability, as a user of its own", () => {
    expect(text).toMatch(/^CapabilityBoundingSet=$/m);
    expect(text).toMatch(/^NoNewPrivileges=yes$/m);
    expect(text).toMatch(/^User=khuxanh$/m);
  });
});

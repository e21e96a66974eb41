import { spawnSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { PasswordChecker } from "../../cloud/broker/password.ts";
import { loadBrokerUsers } from "../../config/load.ts";
import { tempDir } from "../e2e/harness.ts";

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const clean of cleanups.splice(0)) clean();
});

function passwd(...args: string[]) {
  return spawnSync(process.execPath, ["cli/bin.ts", "passwd", ...args], {
    encoding: "utf8",
    input: "",
  });
}

test("an account is made with a password said once, renewed, given another role, and removed", async () => {
  const dir = tempDir();
  cleanups.push(dir.remove);
  const file = join(dir.path, "users.yaml");
  const first = passwd(file, "gw-01");
  expect(first.stdout).toMatch(/^[A-Za-z2-9]{24}\n$/);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(readFileSync(file, "utf8")).not.toContain(first.stdout.trim());
  const second = passwd(file, "gw-01", "--role", "reader");
  const { users } = loadBrokerUsers(file);
  expect(users.map(({ name, role }) => [name, role])).toEqual([["gw-01", "reader"]]);
  const checker = new PasswordChecker();
  expect(await checker.fits(Buffer.from(second.stdout.trim()), users[0]!.password!)).toBe(true);
  expect(await checker.fits(Buffer.from(first.stdout.trim()), users[0]!.password!)).toBe(false);
  expect(passwd(file, "gw-01", "--remove").status).toBe(0);
  expect(loadBrokerUsers(file).users).toEqual([]);
});

test.each([
  ["without a name", ["users.yaml"], "which file and which name?"],
  ["a name that cannot stand in a topic", ["users.yaml", "a/b"], "it contains /"],
  ["an unknown role", ["users.yaml", "gw", "--role", "admin"], "allowed: gateway, reader"],
  ["a short password", ["users.yaml", "gw", "--stdin"], "allowed: 12 to 1024"],
  ["removing nobody", ["users.yaml", "gw", "--remove"], 'there is no user "gw"'],
])("wrong usage, %s, is said and writes nothing", (_case, args, said) => {
  const run = passwd(...args);
  expect(run.status).toBe(2);
  expect(run.stderr).toContain(said);
  expect(run.stdout).toBe("");
});

import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { checkFile, fileKind } from "../../config/check.ts";
import { loadAgentConfig, readPassword } from "../../config/load.ts";
import { loadModelLibrary, resolveModel } from "../../config/models.ts";
import { FILE_KINDS, schemaText } from "../../config/schemas.ts";
import { agentWithLogin, changed, example, problemsOf, thrown } from "./problems.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "khuxanh-config-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function put(name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

const here = (relative: string) => new URL(`../../${relative}`, import.meta.url).pathname;
const SDM630 = readFileSync(here("drivers/models/eastron/sdm630.yaml"), "utf8");

test.each(["agent", "collector", "sim", "calc"] as const)(
  "the example %s.yaml is clean and known for what it is",
  (kind) => {
    expect(checkFile(here(`config/examples/${kind}.yaml`)).kind).toBe(kind);
  },
);

test("models and factor files are known for what they are", () => {
  expect(checkFile(here("drivers/models/eastron/sdm630.yaml"))).toMatchObject({
    kind: "model",
    value: { id: "eastron-sdm630" },
  });
  for (const name of ["dcc-2023", "ipcc-2006", "ipcc-gwp100"])
    expect(checkFile(here(`config/factors/${name}.yaml`)).kind).toBe("factors");
  expect(checkFile(here("config/tariffs/evn-2025.yaml")).kind).toBe("tariff");
});

test("a misspelt key does not hide what kind of file it is", () => {
  expect(fileKind({ zone: 1, sitee: 1, gatway: 1, busses: 1, uplink: 1 })).toBe("agent");
  const file = put("agent.yaml", changed(example("agent"), ["\nbuses:", "\nbusses:"]));
  expect(problemsOf(() => checkFile(file))[0]).toBe("buses: is missing (a list)");
});

test("a file that is none of ours says which there are", () => {
  expect(problemsOf(() => checkFile(put("x.yaml", "services: {}\n")))).toEqual([
    "(file): is no file of ours: none of its keys is known (allowed: agent with zone, site, gateway …; collector with zone, host_id, data_dir …; sim with seed, time_zone, loads …; model with id, manufacturer, model …; factors with publisher, gathered, sources …; calc with period, gwp, as_known_at …; tariff with publisher, gathered, sources …; fills with fills …; instruments with instruments, certificates_sold, residual_mix …)",
  ]);
});

test("a file that does not exist is one clear error", () => {
  const file = join(folder, "none.yaml");
  expect(() => loadAgentConfig(file)).toThrow(`${file}: does not exist [CONFIG_UNREADABLE]`);
});

test("paths are those beside the file, and the password is its file's first line, read when asked for", () => {
  const file = put("agent.yaml", agentWithLogin());
  const config = loadAgentConfig(file);
  expect(config.data_dir).toBe(join(folder, "data/gw-01"));
  expect(config.uplink.password_file).toBe(join(folder, "secret"));
  expect(() => readPassword(config.uplink)).toThrow("does not exist [CONFIG_UNREADABLE]");
  put("secret", "hunter2\n# rotated in May\n");
  chmodSync(join(folder, "secret"), 0o644);
  expect(() => readPassword(config.uplink)).toThrow(/others on this machine may read .* \[SECRET_EXPOSED\]/);
  chmodSync(join(folder, "secret"), 0o600);
  expect(readPassword(config.uplink)).toBe("hunter2");
  expect(readPassword({})).toBeUndefined();
});

test("an installer can name a model file beside the configuration", () => {
  mkdirSync(join(folder, "models"));
  const model = put("models/mine.yaml", changed(SDM630, ["id: eastron-sdm630", "id: my-meter"]));
  const file = put("agent.yaml", changed(example("agent"), ["model: eastron-sdm630", "model: ./models/mine.yaml"]));
  const config = loadAgentConfig(file);
  expect(config.buses[0]?.meters[1]?.model).toBe(model);
  expect(resolveModel(model).id).toBe("my-meter");
});

test("what is wrong with a model file is told where it is named, beside all other problems", () => {
  const model = put("mine.yaml", changed(SDM630, ["phases: 3", "phases: three"]));
  const file = put(
    "agent.yaml",
    changed(
      example("agent"),
      ["model: eastron-sdm630", "model: mine.yaml"],
      ["model: schneider-pm5000", "model: none.yaml"],
      ["interval: 15min", "interval: 7min"],
    ),
  );
  expect(problemsOf(() => loadAgentConfig(file))).toEqual([
    `buses[0].meters[0].model: ${join(folder, "none.yaml")}: does not exist`,
    `buses[0].meters[1].model: ${model}: phases: "three" is not known (allowed: 0, 1, 2, 3)`,
    'interval: "7min" does not divide a day (allowed: e.g. 1min, 5min, 15min, 30min, 1h)',
  ]);
});

test("an id in two model files is refused", () => {
  put("a.yaml", SDM630);
  put("b.yaml", SDM630);
  const error = thrown(() => loadModelLibrary(folder));
  expect(error.code).toBe("MODEL_INVALID");
  expect(error.problems).toEqual([
    { path: "id", message: `"eastron-sdm630" is already used by ${join(folder, "a.yaml")}` },
  ]);
});

test("the library is read once", () => {
  expect(loadModelLibrary()).toBe(loadModelLibrary());
});

test.each(FILE_KINDS)("config/schema/%s.json is current", (kind) => {
  expect(
    readFileSync(here(`config/schema/${kind}.json`), "utf8"),
    "run: npx node -e 'import(\"./config/schemas.ts\").then((m) => m.writeSchemas())'",
  ).toBe(schemaText(kind));
});

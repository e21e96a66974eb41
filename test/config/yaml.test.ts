import fc from "fast-check";
import { expect, test } from "vitest";
import { collectorSpec } from "../../config/files/collector.ts";
import { parseConfig, parseYaml } from "../../config/parse.ts";
import { ConfigProblems } from "../../core/errors.ts";
import { changed, example, problemsOf } from "./problems.ts";

test("a syntax error is told with its line and column", () => {
  expect(problemsOf(() => parseYaml("zone: a\nsites: [a, b\nlisten: x\n", "f.yaml"))[0]).toMatch(
    /^line \d+, column \d+: not valid YAML: /,
  );
  expect(problemsOf(() => parseYaml("zone:\n\tid: a\n", "f.yaml"))).toEqual([
    "line 2, column 1: a tab indents this line; YAML wants blanks",
  ]);
});

test("what is no text is one problem, and of many syntax errors the first ones are told", () => {
  const binary = String.fromCharCode(...Array.from({ length: 4096 }, (_, i) => (i * 37) % 256));
  expect(problemsOf(() => parseYaml(binary, "f.yaml"))).toEqual(["(file): is not text in UTF-8 (allowed: YAML)"]);
  const many = problemsOf(() => parseYaml("a: 1\n".repeat(500), "f.yaml"));
  expect(many).toHaveLength(21);
  expect(many.at(-1)).toBe("(file): and 479 more of the kind");
});

test("a key that stands twice is refused where it stands the second time", () => {
  expect(problemsOf(() => parseYaml("zone: a\nhost_id: b\nzone: c\n", "f.yaml"))).toEqual([
    "line 3, column 1: this key stands twice in the same section",
  ]);
});

test("a file that is not a section at all is one clear problem", () => {
  const parse = (text: string) => () => parseConfig(text, collectorSpec, "f.yaml");
  expect(problemsOf(parse("- a\n"))).toEqual(["(file): expected a section, found a list"]);
  expect(problemsOf(parse(""))).toEqual(["(file): expected a section, found nothing"]);
});

test("an alias bomb is refused", () => {
  const bomb = ["a: &a [x, x, x, x, x, x, x, x, x, x]"];
  for (const [name, of] of ["ba", "cb", "dc", "ed"].map((pair) => [...pair] as [string, string]))
    bomb.push(`${name}: &${name} [${Array.from({ length: 10 }, () => `*${of}`).join(", ")}]`);
  expect(() => parseYaml(bomb.join("\n"), "f.yaml")).toThrow(ConfigProblems);
});

test("whatever stands in a file, it loads or says what is wrong", () => {
  const keys = [
    "zone",
    "host_id",
    "data_dir",
    "sites",
    "broker",
    "store",
    "listen",
    "id",
    "name",
    "gateways",
    "kind",
    "url",
  ];
  const leaf = fc.oneof(fc.string(), fc.integer(), fc.constant(null), fc.boolean());
  const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4 },
      leaf,
      fc.array(tie("tree"), { maxLength: 3 }),
      fc.dictionary(fc.oneof(fc.constantFrom(...keys), fc.string()), tie("tree"), { maxKeys: 6 }),
    ),
  }));
  fc.assert(
    fc.property(tree, (document) => {
      try {
        parseConfig(JSON.stringify(document) ?? "null", collectorSpec, "f.yaml");
      } catch (error) {
        expect(error).toBeInstanceOf(ConfigProblems);
        for (const { message } of (error as ConfigProblems).problems)
          expect(message).not.toMatch(/Invalid|Expected|expected [a-z]+, received/);
      }
    }),
    { numRuns: 300 },
  );
});

test("a broken line is told before anything else of the file", () => {
  const broken = changed(example("collector"), ["gateways: [gw-01]", "gateways: [gw-01"]);
  expect(problemsOf(() => parseConfig(broken, collectorSpec, "f.yaml")).every((line) => line.startsWith("line "))).toBe(
    true,
  );
});

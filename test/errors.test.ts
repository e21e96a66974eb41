import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { ERROR_CODES, type ErrorCode, KhuXanhError } from "../core/errors.ts";

const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
const section = readme.split("\n## ").find((text) => text.startsWith("Error codes")) ?? "";
const rows = [...section.matchAll(/^\| `(\w+)` \| (\w+) \| (.+) \|$/gm)].map(([, code, kind, text]) => ({
  code,
  kind,
  text,
}));

test("README's table of error codes is the one of core/errors.ts, in its order and with its kinds", () => {
  expect(rows.map(({ code, kind }) => `${code} ${kind}`)).toEqual(
    Object.entries(ERROR_CODES).map(([code, kind]) => `${code} ${kind}`),
  );
});

test("every error code says in README what it means and what follows", () => {
  for (const { text } of rows) expect(text).toMatch(/^[A-Z].{30,}\.$/);
});

test("the code ends the message, and the kind follows from the code", () => {
  for (const code of Object.keys(ERROR_CODES) as ErrorCode[]) {
    const error = new KhuXanhError(code, "something is wrong", { hint: "Do this." });
    expect(error.message).toBe(`something is wrong [${code}]`);
    expect(error.kind).toBe(ERROR_CODES[code]);
  }
});

import { readFileSync } from "node:fs";
import { ConfigProblems } from "../../core/errors.ts";

/** What the person reads, one line a problem; fails if nothing is thrown. */
export function problemsOf(run: () => unknown): readonly string[] {
  return thrown(run).problems.map(({ path, message }) => `${path}: ${message}`);
}

export function thrown(run: () => unknown): ConfigProblems {
  try {
    run();
  } catch (error) {
    if (error instanceof ConfigProblems) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

export function example(name: string): string {
  return readFileSync(new URL(`../../config/examples/${name}.yaml`, import.meta.url), "utf8");
}

/** Replaces one passage of a text that must be there. */
export function changed(text: string, ...edits: readonly (readonly [from: string, to: string])[]): string {
  return edits.reduce((current, [from, to]) => {
    if (!current.includes(from)) throw new Error(`the text does not contain ${from}`);
    return current.replace(from, () => to);
  }, text);
}

/** The example agent.yaml with the lines of a login, which stand in it as comments: its broker asks for none. */
export function agentWithLogin(): string {
  return changed(
    example("agent"),
    ["  # username: gw-01", "  username: gw-01"],
    ["  # password_file: ./secret", "  password_file: ./secret"],
  );
}

import { type Finding, pathText } from "./explain.ts";

/** Careful reading of a document that may have any shape, for rules that must speak even when other things are wrong. */

export function field(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null && !Array.isArray(value) && Object.hasOwn(value, key)
    ? (value as Record<string, unknown>)[key]
    : undefined;
}

export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

export function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** A named thing and where it stands. */
export interface Named {
  readonly name: string;
  readonly path: readonly PropertyKey[];
}

/** One finding for each name that was there before: `"furnace" is already used at buses[0].meters[1].id`. */
export function duplicates(things: readonly Named[], what: (name: string) => string): Finding[] {
  const first = new Map<string, readonly PropertyKey[]>();
  return things.flatMap(({ name, path }) => {
    const before = first.get(name);
    if (before === undefined) {
      first.set(name, path);
      return [];
    }
    return [{ path: pathText(path), message: `${what(name)} is already used at ${pathText(before)}` }];
  });
}

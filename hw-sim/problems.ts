import { KhuXanhError } from "../core/errors.ts";

/** Something wrong at a place of the simulation file. */
export interface Misplaced {
  readonly place: string;
  readonly error: KhuXanhError;
}

/** What is wrong in the parts of a file, gathered so that all of it is told at once. */
export interface Gathering {
  /** The part, or null if something is wrong with it; at `place`, unless the error names a place in the file itself. */
  attempt<T>(place: string, part: () => T): T | null;
  /** @throws {KhuXanhError} all that is wrong, if anything is. */
  assertSound(): void;
}

export function gathering(): Gathering {
  const found: Misplaced[] = [];
  return {
    attempt(place, part) {
      try {
        return part();
      } catch (error) {
        if (!(error instanceof KhuXanhError)) throw error;
        found.push({ place: placeIn(error) ?? place, error });
        return null;
      }
    },
    assertSound() {
      const [first, ...more] = found;
      if (first !== undefined) throw together([first, ...more]);
    },
  };
}

/**
 * All that is wrong as one error: the code of the first, the places and messages of all as `context.problems`. What goes
 * wrong in several parts for one reason is told once.
 */
export function together(found: readonly [Misplaced, ...Misplaced[]]): KhuXanhError {
  const [{ error: first }] = found;
  const problems = new Map(
    found.map(({ place, error }) => {
      const message = plain(error).replace(`${place}: `, "");
      return [`${place}: ${message}`, { path: place.replace(/\.(\d+)(?=\.|$)/g, "[$1]"), message }];
    }),
  );
  const told = [...problems.values()];
  return new KhuXanhError(first.code, told.map(({ path, message }) => `${path}: ${message}`).join("; "), {
    hint:
      told.length === 1
        ? first.hint
        : "Correct each of them; hw-sim/README.md shows every kind of meter, load and fault.",
    context: { problems: told },
    cause: first,
  });
}

/** The same error where `from` is known as `to`. */
export function relocated(error: KhuXanhError, from: string, to: string): KhuXanhError {
  const place = String(error.context.place ?? "");
  if (!place.startsWith(from)) return error;
  const moved = to + place.slice(from.length);
  const message = `${moved}: ${plain(error).replace(`${place}: `, "")}`;
  return new KhuXanhError(error.code, message, {
    hint: error.hint,
    context: { ...error.context, place: moved },
    cause: error,
  });
}

function plain({ message, code }: KhuXanhError): string {
  return message.replace(` [${code}]`, "");
}

function placeIn({ context: { place } }: KhuXanhError): string | null {
  return typeof place === "string" && /^(lines|loads|holidays|faults)\b/.test(place) ? place : null;
}

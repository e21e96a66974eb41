import { KhuXanhError } from "../core/errors.ts";

/** Something wrong at a place of the simulation file. */
export interface Misplaced {
  readonly place: string;
  readonly error: KhuXanhError;
}

/** All that is wrong as one error: the code and hint of the first, the places and messages of all as `context.problems`. */
export function together(found: readonly [Misplaced, ...Misplaced[]]): KhuXanhError {
  const [{ error: first }] = found;
  const problems = found.map(({ place, error }) => ({
    path: place,
    message: error.message.replace(` [${error.code}]`, ""),
  }));
  return new KhuXanhError(first.code, problems.map(({ path, message }) => `${path}: ${message}`).join("; "), {
    hint: first.hint,
    context: { problems },
    cause: first,
  });
}

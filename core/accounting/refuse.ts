import { type ErrorCode, KhuXanhError } from "../errors.ts";

/**
 * Refuses an activity as it was stated: which key is wrong, why, and what would be right. Thrown, because every one of them
 * is a mistake of the file's author; whoever runs many activities collects them.
 */
export function refuse(key: string, message: string, code: ErrorCode = "CONFIG_INVALID"): never {
  throw new KhuXanhError(code, message, {
    hint: "Correct the activity, or state a figure with its source.",
    context: { key },
  });
}

import type { ErrorCode } from "../../core/errors.ts";

/** What a piece of notation means, or what is wrong with it in words for the person who wrote it. */
export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problem: string; readonly code?: ErrorCode };

export const parsed = <T>(value: T): Parsed<T> => ({ ok: true, value });
export const wrong = (problem: string): Parsed<never> => ({ ok: false, problem });

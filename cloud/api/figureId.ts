import { z } from "zod";
import { notFound } from "./problem.ts";

/**
 * What an emission figure was the answer to, packed into its id: the trace asks the same question again. Nothing is kept on
 * the server, and an id is as good after a restart as before.
 */
const Question = z.strictObject({
  /** Site id; null = the whole zone. */
  site: z.string().max(100).nullable(),
  from_ms: z.int(),
  to_ms: z.int(),
  gwp: z.enum(["AR4", "AR5", "AR6"]),
  /** The part of the total that the figure is; null = all of it. */
  part: z.strictObject({ by: z.enum(["scope", "carrier", "site"]), key: z.string().max(100) }).nullable(),
  knownAt_ms: z.int().nullable(),
  basis: z.enum(["location", "market"]).default("location"),
});
export type Question = Readonly<z.infer<typeof Question>>;

/** Longest id that is looked at, characters. */
export const ID_MAX = 1024;

export function questionId(question: Question): string {
  return Buffer.from(JSON.stringify(question)).toString("base64url");
}

export type FigureId =
  | { readonly kind: "entry"; readonly entry: number }
  | { readonly kind: "question"; readonly question: Question };

/** @throws {KhuXanhError} NOT_FOUND for an id that we did not make. */
export function parseFigureId(id: string): FigureId {
  if (id.length > ID_MAX) throw noFigure();
  const entry = /^e(\d{1,15})$/.exec(id);
  if (entry !== null) return { kind: "entry", entry: Number(entry[1]) };
  const parsed = Question.safeParse(jsonOf(Buffer.from(id, "base64url").toString("utf8")));
  if (!parsed.success || parsed.data.from_ms >= parsed.data.to_ms) throw noFigure();
  return { kind: "question", question: parsed.data };
}

export function noFigure(): Error {
  return notFound("there is no figure with this id", "Take the id from an answer of /api/v1/emissions.");
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

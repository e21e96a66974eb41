import type { FastifyReply } from "fastify";
import { hasZodFastifySchemaValidationErrors } from "fastify-type-provider-zod";
import type { z } from "zod";
import { nearest } from "../../config/nearest.ts";
import { ERROR_CODES, type ErrorCode, KhuXanhError } from "../../core/errors.ts";
import type { ProblemDocument } from "./schemas.ts";

type Problem = z.infer<typeof ProblemDocument>;

export function badRequest(detail: string, hint: string): KhuXanhError {
  return new KhuXanhError("BAD_REQUEST", detail, { hint });
}

export function notFound(what: string, hint: string): KhuXanhError {
  return new KhuXanhError("NOT_FOUND", what, { hint });
}

const TITLES: Readonly<Record<number, string>> = {
  400: "The request cannot be answered as it stands",
  404: "Not found",
  500: "The server made a mistake",
  503: "The server cannot take this on now",
};

function problem(status: number, code: ErrorCode, detail: string, hint: string): Problem {
  return { type: "about:blank", title: TITLES[status] ?? "Error", status, detail, code, hint };
}

/** RFC 9457 document for whatever went wrong. Of our own mistakes only the fact goes out, the rest goes to the log. */
export function problemOf(error: unknown): Problem {
  if (hasZodFastifySchemaValidationErrors(error)) {
    const issues = error.validation.map((one) =>
      describeIssue(one.instancePath.slice(1), one.keyword, one.message ?? "", one.params),
    );
    return problem(400, "BAD_REQUEST", issues.join("; "), "Correct the parameter; /api/docs lists what each may be.");
  }
  if (error instanceof KhuXanhError && ERROR_CODES[error.code] !== "Defect") {
    const status = error.code === "NOT_FOUND" ? 404 : error.code === "BAD_REQUEST" ? 400 : 503;
    return problem(status, error.code, error.message.replace(/ \[[A-Z_]+\]$/, ""), error.hint);
  }
  if (isClientMistake(error)) {
    return problem(400, "BAD_REQUEST", error.message, "Correct the request; /api/docs shows what is understood.");
  }
  return problem(500, "INTERNAL", "an unexpected error", "Try again; if it stays, report it with the server's log.");
}

export function tooManyClients(limit: number): Problem {
  return problem(
    503,
    "TOO_MANY_CLIENTS",
    `${limit} live streams are open`,
    "Close a page that shows live values, or try again later.",
  );
}

export function sendProblem(reply: FastifyReply, document: Problem): FastifyReply {
  return reply.code(document.status).type("application/problem+json").send(JSON.stringify(document));
}

/** What Fastify itself refuses: a malformed address, a header too long. */
function isClientMistake(error: unknown): error is Error {
  const status = error instanceof Error && "statusCode" in error ? error.statusCode : undefined;
  return typeof status === "number" && status >= 400 && status < 500;
}

/** `step: "weekly" is not understood (allowed: 15min, hour, day, month, year)`. */
function describeIssue(name: string, keyword: string, message: string, params: Record<string, unknown>): string {
  const values = params.values;
  if (keyword === "invalid_value" && Array.isArray(values)) return `${name}: allowed are ${values.join(", ")}`;
  const keys = params.keys;
  if (keyword === "unrecognized_keys" && Array.isArray(keys)) {
    return keys.map((key) => `${key}: no such parameter${suggestion(String(key))}`).join("; ");
  }
  if (keyword === "invalid_type" && /received undefined/.test(message)) return `${name}: is missing`;
  return `${name}: ${message.charAt(0).toLowerCase()}${message.slice(1)}`;
}

const PARAMETERS = [
  "from",
  "to",
  "step",
  "by",
  "site",
  "zone",
  "gwp",
  "basis",
  "meter",
  "quantity",
  "as_known_at",
  "offset",
];

function suggestion(key: string): string {
  const near = nearest(key, PARAMETERS);
  return near === undefined ? "" : ` (did you mean ${near}?)`;
}

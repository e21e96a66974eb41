import { ERROR_CODES, KhuXanhError } from "../../core/errors.ts";
import type { Clock } from "../../core/ports.ts";
import { FAULTS, type FaultSpec } from "../faults/catalogue.ts";
import { faultDocument } from "../faults/faultRunner.ts";
import type { Fault } from "../faults/schedule.ts";
import type { RunningSim } from "../sim.ts";

/**
 * What the control port answers, without any socket: faults and meters of a running simulation as JSON documents. Errors
 * are RFC 9457 problem documents.
 */
export interface ControlRequest {
  readonly method: string;
  /** Path of the address, undecoded. */
  readonly path: string;
  /** Text of the body, if one was sent. */
  readonly body: string;
}

export interface ControlAnswer {
  readonly status: number;
  readonly document: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A body's fault, or all that is wrong with it as `path: message`. */
export type ParseFault = (
  document: unknown,
) =>
  | { readonly ok: true; readonly fault: FaultSpec }
  | { readonly ok: false; readonly findings: readonly { readonly path: string; readonly message: string }[] };

export interface ControlParts {
  readonly sim: Pick<RunningSim, "faults" | "lines" | "truthAt">;
  readonly clock: Clock;
  readonly parseFault: ParseFault;
}

/** The answer to a command comes when it is in force: a port that is to be refused is closed by then. */
export async function controlAnswer(parts: ControlParts, request: ControlRequest): Promise<ControlAnswer> {
  const answer = answerTo(parts, request);
  await parts.sim.faults.settled();
  return answer;
}

function answerTo({ sim, clock, parseFault }: ControlParts, request: ControlRequest): ControlAnswer {
  const { method, path, body } = request;
  const [, top = "", id = null, ...more] = path.split("/");
  const route = more.length > 0 ? null : id === null ? top : `${top}/`;
  const now_ms = clock.now_ms();
  try {
    switch (route) {
      case "faults":
        if (method === "GET") {
          return { status: 200, document: { faults: sim.faults.all().map((fault) => faultDocument(fault, now_ms)) } };
        }
        if (method !== "POST") return notAllowed("GET, POST");
        return created(sim.faults.add(parsedBody(body, parseFault)), clock.now_ms());
      case "faults/": {
        const name = decoded(id!);
        const fault = sim.faults.all().find((one) => one.id === name);
        if (method === "DELETE") return { status: 200, document: faultDocument(sim.faults.remove(name), now_ms) };
        if (method !== "GET") return notAllowed("GET, DELETE");
        if (fault === undefined) return noSuch(`there is no fault "${name}"`, "GET /faults lists them.");
        return { status: 200, document: faultDocument(fault, now_ms) };
      }
      case "kinds":
        return method === "GET" ? { status: 200, document: { kinds: FAULTS } } : notAllowed("GET");
      case "meters":
        return method === "GET" ? { status: 200, document: { meters: meters(sim, now_ms) } } : notAllowed("GET");
      default:
        return noSuch(
          `there is nothing at ${path}`,
          "GET /faults, /kinds or /meters; POST /faults; DELETE /faults/{id}.",
        );
    }
  } catch (error) {
    return problemOf(error);
  }
}

function parsedBody(body: string, parseFault: ParseFault): FaultSpec {
  let document: unknown;
  try {
    document = JSON.parse(body);
  } catch {
    throw badRequest("the body is no JSON", 'Send a fault, e.g. {"kind": "silent", "on": {"line": 0, "unit": 1}}.');
  }
  const result = parseFault(document);
  if (result.ok) return result.fault;
  throw badRequest(
    result.findings.map(({ path, message }) => `${path}: ${message}`).join("; "),
    "Correct the fault; GET /kinds lists kinds and parameters.",
  );
}

function created(fault: Fault, now_ms: number): ControlAnswer {
  return { status: 201, document: faultDocument(fault, now_ms), headers: { location: `/faults/${fault.id}` } };
}

function meters(sim: ControlParts["sim"], now_ms: number): readonly unknown[] {
  return sim.truthAt(now_ms).map(({ line, unit, name, model, counters, shown }) => ({
    ...{ line, url: `${sim.lines[line]!.url}`, unit, name, model, counters },
    ...(shown === undefined ? {} : { shown }),
  }));
}

const TITLES: Readonly<Record<number, string>> = {
  400: "The request cannot be answered as it stands",
  403: "Not for pages of other origins",
  404: "Not found",
  405: "Not done here",
  409: "Cannot be",
  413: "Too long",
  415: "Not JSON",
  421: "Not this machine",
  500: "The simulator made a mistake",
};

export function problem(status: number, code: string, detail: string, hint: string): ControlAnswer {
  const title = TITLES[status] ?? "Error";
  return { status, document: { type: "about:blank", title, status, detail, code, hint } };
}

/** A fault that cannot be is the sender's mistake, one that cannot be undone a conflict. */
function problemOf(error: unknown): ControlAnswer {
  if (!(error instanceof KhuXanhError) || ERROR_CODES[error.code] === "Defect") {
    return problem(500, "INTERNAL", "an unexpected error", "If it stays, report it with the simulator's log.");
  }
  const status = error.code === "NOT_FOUND" ? 404 : error.context.conflict === true ? 409 : 400;
  return problem(status, error.code, error.message.replace(/ \[[A-Z_]+\]$/, ""), error.hint);
}

function badRequest(detail: string, hint: string): KhuXanhError {
  return new KhuXanhError("BAD_REQUEST", detail, { hint });
}

function noSuch(detail: string, hint: string): ControlAnswer {
  return problem(404, "NOT_FOUND", detail, hint);
}

function notAllowed(allow: string): ControlAnswer {
  const answer = problem(405, "BAD_REQUEST", "this method has no meaning here", `Use ${allow}.`);
  return { ...answer, headers: { allow } };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/**
 * A bus that a running agent owns, as a `Bus`: every read goes to the agent's loopback port and is done between its polls.
 *
 * Limits   the agent's own (`busRead.ts`): 20 reads a second, waited for here; timeouts of 50…5000 ms
 */
import { Agent, get } from "node:http";
import type { Bus, BusRead, BusReply } from "../../core/ports.ts";
import { type BusAddress, openBus } from "../../drivers/modbus/client.ts";
import { type BusOwner, findOwner, lockLine, runtimeFolder } from "./busOwner.ts";
import { clamp } from "./busRead.ts";

/** A read waits for the agent's own polls, which may each run into a timeout. */
const PATIENCE_MS = 15_000;
const ANSWER_MAX_BYTES = 1_000_000;

/** The bus `owner.bus` of the agent at `owner.http`. An agent that is gone is an unreachable bus. */
export function agentBus({ http, bus }: Pick<BusOwner, "http" | "bus">): Bus {
  const connection = new Agent({ keepAlive: true, maxSockets: 1 });
  let turn: Promise<unknown> = Promise.resolve();
  let isClosed = false;

  const exchange = async ({ unit, fc, address, count, timeout_ms }: BusRead): Promise<BusReply> => {
    const query = new URLSearchParams({
      bus,
      unit: String(unit),
      fc: String(fc),
      address: String(address),
      count: String(count),
      timeout_ms: String(clamp(timeout_ms)),
    });
    for (;;) {
      if (isClosed) return { kind: "unreachable", detail: "the bus was closed" };
      const answer = await getJson(`${http}/api/read?${query}`, connection, PATIENCE_MS + timeout_ms);
      if (answer.status === 200) return replyOf(answer.body);
      if (answer.status !== 429) return { kind: "unreachable", detail: detailOf(answer) };
      await delay(retryAfter_ms(answer.body));
    }
  };

  return {
    read(request) {
      const reply = turn.then(() => exchange(request));
      turn = reply;
      return reply;
    },
    async close() {
      isClosed = true;
      connection.destroy();
    },
  };
}

export interface OpenedBus extends Bus {
  /** The gateway whose agent does the reading; null = this process reads by itself. */
  readonly through: string | null;
}

/**
 * The agent's bus if a running agent owns it; else the port itself, and a serial line is locked first.
 * @throws {KhuXanhError} BUS_LOCKED for a serial line held by another program of ours.
 */
export async function openOwnedBus(address: BusAddress, folder: string = runtimeFolder()): Promise<OpenedBus> {
  const owner = findOwner(address, folder);
  if (owner !== null && (await isAgent(owner))) {
    return Object.assign(agentBus(owner), { through: owner.gateway });
  }
  const unlock = lockLine(address, folder);
  const bus = openBus(address);
  return {
    through: null,
    read: (request) => bus.read(request),
    close: () => bus.close().finally(unlock),
    ...(bus.owed === undefined ? {} : { owed: bus.owed }),
  };
}

/** The process number in a file may have gone to another program since. */
async function isAgent({ http, pid, bus }: BusOwner): Promise<boolean> {
  const connection = new Agent({ keepAlive: false });
  const { status, body } = await getJson(`${http}/api/status`, connection, 3000);
  const said = body as { readonly pid?: unknown; readonly buses?: readonly { readonly id?: unknown }[] } | null;
  return status === 200 && said?.pid === pid && said.buses?.some(({ id }) => id === bus) === true;
}

interface Answer {
  /** 0 = none came. */
  readonly status: number;
  readonly body: unknown;
}

function getJson(url: string, agent: Agent, timeout_ms: number): Promise<Answer> {
  return new Promise((resolve) => {
    const failed = (error: Error) => resolve({ status: 0, body: { detail: error.message } });
    const request = get(url, { agent, signal: AbortSignal.timeout(timeout_ms) }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (part: string) => {
        text += part;
        if (text.length > ANSWER_MAX_BYTES) request.destroy(new Error("the agent's answer is too long"));
      });
      response.on("error", failed);
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body: parsed(text) }));
    });
    request.on("error", failed);
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** The agent is our own program, but the port may be anybody's. */
function replyOf(body: unknown): BusReply {
  const { kind, words, code, detail } = (body ?? {}) as Readonly<Record<string, unknown>>;
  const isWord = (word: unknown) => Number.isInteger(word) && Number(word) >= 0 && Number(word) <= 0xffff;
  if (kind === "words" && Array.isArray(words) && words.every(isWord)) return { kind, words: Uint16Array.from(words) };
  if (kind === "exception" && Number.isInteger(code)) return { kind, code: Number(code) };
  if (kind === "timeout") return { kind };
  if (kind === "garbled" || kind === "unreachable") return { kind, detail: String(detail) };
  return { kind: "unreachable", detail: "what answers there is no Khu Xanh agent" };
}

function detailOf({ status, body }: Answer): string {
  const { detail } = (body ?? {}) as { readonly detail?: unknown };
  return `the agent said: ${typeof detail === "string" ? detail : `HTTP ${status}`}`;
}

function retryAfter_ms(body: unknown): number {
  const { retry_after_ms } = (body ?? {}) as { readonly retry_after_ms?: unknown };
  return typeof retry_after_ms === "number" ? Math.min(Math.max(retry_after_ms, 1), 1000) : 50;
}

function delay(delay_ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delay_ms));
}

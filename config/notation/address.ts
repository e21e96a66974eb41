import { type Parsed, parsed, wrong } from "./parsed.ts";

/** Where a server of ours listens. Port 0 = any free port. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

const HOST_PORT = /^(\[[0-9A-Fa-f:.]+\]|[^\s:/?#[\]]+)(?::(\d{1,5}))?$/;

/** `host`, `host:port`, `[::1]:port`; brackets are taken off. `port` is null when none is written. */
export function parseHostPort(text: string): Parsed<{ readonly host: string; readonly port: number | null }> {
  const match = HOST_PORT.exec(text);
  if (match === null) return wrong(`"${text}" is not an address (allowed: host:port, e.g. 127.0.0.1:502)`);
  const [, host = "", port] = match;
  if (port !== undefined && Number(port) > 65_535) return wrong(`port ${port} is too big (allowed: 0 to 65535)`);
  return parsed({ host: host.replace(/^\[|\]$/g, ""), port: port === undefined ? null : Number(port) });
}

/**
 * `127.0.0.1:8081`. Loopback only: a page without logins and TLS is closed to the network (architecture §4.17).
 */
export function parseListen(text: string): Parsed<ListenAddress> {
  const address = parseListenAnywhere(text);
  return !address.ok || isLoopback(address.value.host) ? address : notLoopback(address.value.host);
}

/** `0.0.0.0:8883`: any address, for a listener whose other keys say how it is protected. */
export function parseListenAnywhere(text: string): Parsed<ListenAddress> {
  const address = parseHostPort(text);
  if (!address.ok || address.value.port === null)
    return wrong(`"${text}" is not an address to listen on (allowed: host:port, e.g. 127.0.0.1:8081)`);
  return parsed({ host: address.value.host, port: address.value.port });
}

export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}

/** The refusal of an address that other machines can reach. */
export function notLoopback(host: string): Parsed<never> {
  return {
    ok: false,
    code: "LISTEN_NOT_LOOPBACK",
    problem: `${host} is open to the network, and there is no login or encryption yet to protect it (allowed: 127.0.0.1, ::1, localhost)`,
  };
}

import type { Clock, Timers } from "../../core/ports.ts";
import type { Readable } from "../bus/answer.ts";
import { listenTcp } from "../bus/tcpServer.ts";
import type { FaultBook } from "../faults/faultBook.ts";
import type { SimListen } from "../simConfig.ts";
import { serveSerial } from "./serialLine.ts";
import { openSerialPort } from "./serialPorts.ts";

/** A line of meters that can be reached. */
export interface OpenLine {
  /** As a client writes it. */
  readonly url: string;
  /** Of a serial line its device, and port 0. */
  readonly host: string;
  readonly port: number;
  /** Opens or closes the port as the faults of now want it. */
  follow(): Promise<void>;
  close(): Promise<void>;
}

export interface LineParts {
  readonly meters: ReadonlyMap<number, Readable>;
  readonly clock: Clock;
  /** Serial lines and faults need them. */
  readonly timers: Timers | null;
  readonly faults: FaultBook;
  /** Number of the line. */
  readonly line: number;
}

/** @throws {KhuXanhError} PORT_TAKEN, LISTEN_NOT_LOOPBACK, BUS_UNREACHABLE (a serial port that cannot be opened). */
export async function openLine(listen: SimListen, parts: LineParts): Promise<OpenLine> {
  const { meters, clock, timers, faults, line } = parts;
  if (listen.kind === "rtu") {
    if (timers === null) throw new RangeError("a serial line needs timers");
    const port = await openSerialPort(listen, timers);
    const serial = serveSerial({ port, settings: listen, meters, clock, timers, faults: { book: faults, line } });
    return {
      url: serialUrl(listen),
      host: listen.path,
      port: 0,
      follow: async () => {},
      close: () => serial.close(),
    };
  }
  const { kind, host } = listen;
  const carried = timers === null ? {} : { faults: { book: faults, line, timers } };
  const server = await listenTcp({ host, port: listen.port, wire: kind, meters, clock, ...carried });
  return {
    url: `${kind}://${host.includes(":") ? `[${host}]` : host}:${server.port}`,
    host,
    port: server.port,
    follow: () => server.follow(),
    close: () => server.close(),
  };
}

function serialUrl({ path, baud, parity, stop_bits }: Extract<SimListen, { readonly kind: "rtu" }>): string {
  const parts = [`baud=${baud}`, ...(parity === "none" ? [] : [`parity=${parity}`])];
  return `rtu://${path}?${[...parts, ...(stop_bits === 1 ? [] : ["stop=2"])].join("&")}`;
}

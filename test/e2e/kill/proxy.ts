import { createServer, connect as dial, type Server, type Socket } from "node:net";

/** What the link does to bytes: as they are; cut; swallowed without a word (a cable pulled behind a switch); late. */
export type LinkState = "through" | "cut" | "half-open" | "slow";

const SLOW_MS = 400;

/** A TCP link that can be broken, between a client of ours and a server on another port. */
export class LinkProxy {
  readonly #server: Server;
  readonly #target: number;
  readonly #sockets = new Set<Socket>();
  #state: LinkState = "through";

  private constructor(server: Server, target: number) {
    this.#server = server;
    this.#target = target;
  }

  static async open(target: number): Promise<LinkProxy> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const proxy = new LinkProxy(server, target);
    server.on("connection", (socket) => proxy.#join(socket));
    return proxy;
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  /** Cutting ends every connection; a half-open one stays open and dumb until it is ended by a cut or by the other side. */
  set(state: LinkState): void {
    // What stalled would otherwise speak again in the middle of a packet: as in the field, such a connection is lost.
    if (state === "cut" || this.#state === "half-open") this.#cut();
    this.#state = state;
  }

  async close(): Promise<void> {
    this.#cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #join(client: Socket): void {
    if (this.#state === "cut") {
      client.destroy();
      return;
    }
    const server = dial(this.#target, "127.0.0.1");
    this.#carry(client, server);
    this.#carry(server, client);
  }

  #carry(from: Socket, to: Socket): void {
    this.#sockets.add(from);
    from.on("data", (bytes) => {
      if (this.#state === "half-open") return;
      if (this.#state !== "slow") to.write(bytes);
      else setTimeout(() => to.write(bytes), SLOW_MS);
    });
    from.on("error", () => {});
    from.on("close", () => {
      this.#sockets.delete(from);
      if (this.#state !== "half-open") to.destroy();
    });
  }
}

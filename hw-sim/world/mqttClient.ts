import { KhuXanhError } from "../../core/errors.ts";
import type { Cancel, MqttConnect, MqttConnector, MqttLink } from "../../core/ports.ts";
import type { SimBroker } from "./broker.ts";
import type { EndOfLife, Life } from "./machine.ts";
import type { Latency } from "./pipe.ts";
import { Pipe } from "./pipe.ts";
import type { Stream } from "./random.ts";
import type { Scheduler } from "./scheduler.ts";

/**
 * The network between the machines of a world and its broker, and MQTT clients on it that keep to the port
 * `MqttConnector` as the real one on mqtt.js does (`test/contract/mqtt.ts` holds both to the same).
 */
export interface NetworkOptions {
  readonly scheduler: Scheduler;
  readonly broker: SimBroker;
  readonly random: Stream;
  readonly latency: Latency;
}

/** A client gives up on a broker that it has not heard for this many keep-alives, as mqtt.js does. */
const KEEPALIVE_FACTOR = 1.5;
/** How long the kernel sends again to somebody who does not answer: Linux, net.ipv4.tcp_retries2 = 15. */
const TCP_GIVES_UP_MS = 924_600;

export class Network {
  readonly #o: NetworkOptions;
  readonly #connections = new Set<Connection>();
  readonly #cutOff = new Set<string>();

  constructor(options: NetworkOptions) {
    this.#o = options;
  }

  connectorOf(life: Life): MqttConnector {
    life.onEnd((how) => {
      for (const connection of this.#connections) if (connection.life === life) connection.lifeEnds(how);
    });
    return { connect: (options) => this.#connect(life, options) };
  }

  /** Packets between this machine and the broker wait until the network is back; new connections time out. */
  cutOff(machine: string): void {
    this.#cutOff.add(machine);
    for (const connection of this.#of(machine)) connection.hold();
  }

  reach(machine: string): void {
    this.#cutOff.delete(machine);
    for (const connection of this.#of(machine)) connection.release();
  }

  /** The connections that the machine has now lead nowhere, and nobody is told; new ones work. */
  halfOpen(machine: string): void {
    for (const connection of this.#of(machine)) connection.lose();
  }

  /** The broker's machine lost power: its clients are not told. */
  halfOpenAll(): void {
    for (const connection of this.#connections) connection.lose();
  }

  #of(machine: string): Connection[] {
    return [...this.#connections].filter(({ life }) => life.machine.name === machine);
  }

  #connect(life: Life, options: MqttConnect): Promise<MqttLink> {
    return new Promise((resolve, reject) => {
      if (!life.isAlive) return;
      const connection = new Connection(life, options, this.#o, () => this.#connections.delete(connection));
      this.#connections.add(connection);
      if (this.#cutOff.has(life.machine.name)) connection.hold();
      connection.open(resolve, () => {
        reject(
          new KhuXanhError("BROKER_UNREACHABLE", `no connection to the broker at ${options.url}`, {
            hint: "Check that the broker runs, its address and port, and user name and password if it asks for them.",
          }),
        );
      });
    });
  }
}

/** One TCP connection with an MQTT client at this end and the broker at the other. */
class Connection {
  readonly life: Life;
  readonly #options: MqttConnect;
  readonly #scheduler: Scheduler;
  readonly #broker: SimBroker;
  readonly #up: Pipe;
  readonly #down: Pipe;
  readonly #forget: () => void;
  readonly #unanswered = new Set<(error: Error) => void>();
  readonly #ended: (() => void)[] = [];
  #cancelPing: Cancel = () => {};
  #cancelTimeout: Cancel = () => {};
  #failed: () => void = () => {};
  #isEnding = false;
  #heard_ms = 0;
  /** closing: destroyed, and its caller not told yet. */
  #state: "opening" | "open" | "closing" | "closed" = "opening";
  /** Whether the broker's end is closed. */
  #isPeerClosed = false;
  readonly #peer: Parameters<SimBroker["connect"]>[0];

  constructor(
    life: Life,
    options: MqttConnect,
    { scheduler, broker, random, latency }: NetworkOptions,
    forget: () => void,
  ) {
    this.life = life;
    this.#options = options;
    this.#scheduler = scheduler;
    this.#broker = broker;
    this.#forget = forget;
    this.#up = new Pipe(scheduler, random, latency);
    this.#down = new Pipe(scheduler, random, latency);
    this.#peer = {
      clientId: options.clientId,
      keepalive_ms: options.keepalive_s * 1000,
      // As sent with CONNECT: the caller's bytes may change afterwards.
      will: { ...options.will, payload: options.will.payload.slice() },
      deliver: (message, late_ms) =>
        this.#toClient(() => life.live(() => options.onMessage(message.topic, message.payload)), late_ms),
      close: () => {
        this.#isPeerClosed = true;
        this.#down.send(() => this.#close("connection closed"));
      },
    };
  }

  open(opened: (link: MqttLink) => void, failed: () => void): void {
    this.#failed = failed;
    this.#cancelTimeout = this.life.after(this.#options.connectTimeout_ms, () => {
      this.#sendClose();
      this.#close("connect timed out");
    });
    this.#toBroker(() => {
      if (!this.#broker.isUp) {
        this.#peer.close();
        return;
      }
      this.#broker.connect(this.#peer);
      this.#down.send(() => {
        if (this.#state !== "opening") return;
        this.#cancelTimeout();
        this.#state = "open";
        this.#heard_ms = this.#scheduler.now_ms;
        this.#keepAlive();
        opened(this.#link());
      });
    });
  }

  lifeEnds(how: EndOfLife): void {
    if (how === "power-cut") this.lose();
    else this.#sendClose();
    this.#state = "closed";
    this.#forget();
  }

  hold(): void {
    this.#up.hold();
    this.#down.hold();
  }

  release(): void {
    this.#up.release();
    this.#down.release();
  }

  lose(): void {
    this.#up.lose();
    this.#down.lose();
  }

  #link(): MqttLink {
    return {
      publish: (topic, payload, { qos, retain }) => {
        const message = { topic, payload, qos, retain };
        if (qos === 1) {
          return this.#asked((answer) => {
            this.#toBroker(() => {
              if (this.#broker.publish(this.#peer, message)) this.#toClient(answer);
            });
          });
        }
        if (this.#state !== "open") return Promise.reject(new Error("the connection is closed"));
        this.#toBroker(() => void this.#broker.publish(this.#peer, message));
        return Promise.resolve();
      },
      subscribe: (filters) =>
        this.#asked((answer) => {
          this.#toBroker(() => {
            if (!this.#broker.ping(this.#peer)) return;
            this.#toClient(answer);
            this.#broker.subscribe(this.#peer, filters);
          });
        }),
      end: () => this.#end(),
      destroy: () => {
        if (this.#state !== "open") return;
        this.#state = "closing";
        this.#sendClose();
        this.#closeSoon();
      },
    };
  }

  /** Waits for what is unanswered, says DISCONNECT, and ends when the broker has closed its side too. */
  #end(): Promise<void> {
    if (this.#state !== "open") return Promise.resolve();
    this.#isEnding = true;
    this.#disconnectIfAnswered();
    return new Promise((resolve) => {
      this.#ended.push(resolve);
    });
  }

  #disconnectIfAnswered(): void {
    if (!this.#isEnding || this.#unanswered.size > 0 || this.#state !== "open") return;
    this.#isEnding = false;
    this.#cancelPing();
    this.#cancelPing = this.life.after(TCP_GIVES_UP_MS, () => this.#close("connection closed"));
    this.#up.send(() => {
      if (this.#isPeerClosed) return;
      this.#broker.disconnect(this.#peer);
      this.#peer.close();
    });
  }

  /** A request that the broker answers; rejected when the connection ends before. */
  #asked(ask: (answer: () => void) => void): Promise<void> {
    if (this.#state !== "open") return Promise.reject(new Error("the connection is closed"));
    return new Promise((resolve, reject) => {
      this.#unanswered.add(reject);
      ask(() => {
        this.#unanswered.delete(reject);
        resolve();
        this.#disconnectIfAnswered();
      });
    });
  }

  #toBroker(deliver: () => void): void {
    this.#up.send(() => {
      if (!this.#isPeerClosed) deliver();
    });
  }

  #toClient(deliver: () => void, late_ms = 0): void {
    this.#down.send(() => {
      if (this.#state !== "open") return;
      this.#heard_ms = this.#scheduler.now_ms;
      deliver();
    }, late_ms);
  }

  #sendClose(): void {
    this.#up.send(() => {
      this.#isPeerClosed = true;
      this.#broker.broken(this.#peer);
    });
  }

  /** As a socket says so: not before the caller has gone on. */
  #closeSoon(): void {
    this.#cancelPing();
    this.#down.lose();
    this.life.after(0, () => this.#close("connection closed"));
  }

  #close(why: string): void {
    if (this.#state === "closed") return;
    const wasOpening = this.#state === "opening";
    this.#state = "closed";
    this.#cancelPing();
    this.#cancelTimeout();
    this.#forget();
    const error = new Error("connection closed");
    for (const reject of this.#unanswered) reject(error);
    this.#unanswered.clear();
    for (const resolve of this.#ended) resolve();
    if (wasOpening) this.#failed();
    else this.#options.onClose(why);
  }

  #keepAlive(): void {
    const { keepalive_s } = this.#options;
    if (keepalive_s <= 0) return;
    this.#cancelPing = this.life.after(keepalive_s * 1000, () => {
      if (this.#scheduler.now_ms - this.#heard_ms > keepalive_s * 1000 * KEEPALIVE_FACTOR) {
        this.#sendClose();
        this.#close("keep-alive timeout");
        return;
      }
      this.#toBroker(() => {
        if (this.#broker.ping(this.#peer)) this.#toClient(() => {});
      });
      this.#keepAlive();
    });
  }
}

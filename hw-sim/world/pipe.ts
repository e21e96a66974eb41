import type { Stream } from "./random.ts";
import type { Scheduler } from "./scheduler.ts";

/** How a network between two machines behaves. */
export interface Latency {
  readonly least_ms: number;
  readonly most_ms: number;
}

/**
 * One direction of a TCP connection: what is put in comes out later, in order and whole - or not at all. Pieces that arrive at
 * one instant come one right after the other, as packets of one segment do: no promise reaction runs between them.
 *
 * open   flows · held   a partition: TCP sends again, so all of it arrives when the network is back · lost   half-open: the
 * other end has forgotten the connection, or lies behind a router that has; nobody is told
 */
export class Pipe {
  readonly #scheduler: Scheduler;
  readonly #random: Stream;
  readonly #latency: Latency;
  readonly #held: (() => void)[] = [];
  #state: "open" | "held" | "lost" = "open";
  /** Nothing arrives before what was sent before it. */
  #free_ms = 0;
  /** What arrives last of all that is on its way. */
  #last: Segment | null = null;

  constructor(scheduler: Scheduler, random: Stream, latency: Latency) {
    this.#scheduler = scheduler;
    this.#random = random;
    this.#latency = latency;
  }

  /** @param late_ms the piece comes so much later than in its turn, and those behind it pass it */
  send(deliver: () => void, late_ms = 0): void {
    if (this.#state === "lost") return;
    const { least_ms, most_ms } = this.#latency;
    const due_ms = this.#scheduler.now_ms + this.#random.between(least_ms, most_ms);
    const turn_ms = Math.max(due_ms, this.#free_ms);
    if (late_ms > 0) this.#scheduler.at(turn_ms + late_ms, () => this.#arrive(deliver));
    else this.#sendInOrder(deliver, turn_ms);
  }

  #sendInOrder(deliver: () => void, at_ms: number): void {
    this.#free_ms = at_ms;
    if (this.#last?.at_ms === at_ms) {
      this.#last.pieces.push(deliver);
      return;
    }
    const segment: Segment = { at_ms, pieces: [deliver] };
    this.#last = segment;
    this.#scheduler.at(at_ms, () => {
      if (this.#last === segment) this.#last = null;
      for (const piece of segment.pieces) this.#arrive(piece);
    });
  }

  hold(): void {
    if (this.#state === "open") this.#state = "held";
  }

  release(): void {
    if (this.#state !== "held") return;
    this.#state = "open";
    for (const deliver of this.#held.splice(0)) this.send(deliver);
  }

  lose(): void {
    this.#state = "lost";
    this.#held.length = 0;
  }

  #arrive(deliver: () => void): void {
    if (this.#state === "held") this.#held.push(deliver);
    else if (this.#state === "open") deliver();
  }
}

interface Segment {
  readonly at_ms: number;
  readonly pieces: (() => void)[];
}

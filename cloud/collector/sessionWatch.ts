/**
 * How often sessions of one gateway begin. Two gateways with one name drive each other out of the broker, each time with a
 * birth; a connection that breaks all the time looks alike, and both need a person.
 */
export const SESSIONS_MAX = 10;
export const SESSIONS_MS = 600_000;

export class SessionWatch {
  #bdSeq: number | null = null;
  #began_ms: number[] = [];

  /**
   * A node birth; one with the bdSeq of the last is a rebirth in the same session.
   * @returns more than {@link SESSIONS_MAX} that began within {@link SESSIONS_MS}, counted anew from then on; else null
   */
  born(bdSeq: number, now_ms: number): number | null {
    if (bdSeq === this.#bdSeq) return null;
    this.#bdSeq = bdSeq;
    this.#began_ms = [...this.#began_ms.filter((at_ms) => now_ms - at_ms < SESSIONS_MS), now_ms];
    const sessions = this.#began_ms.length;
    if (sessions <= SESSIONS_MAX) return null;
    this.#began_ms = [];
    return sessions;
  }
}

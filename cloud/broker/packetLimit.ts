/**
 * Watches the packet lengths of one MQTT stream (MQTT 3.1.1 §2.2: a type byte, then 1 to 4 bytes of length), so that a packet
 * beyond the limit is refused by its header, before anybody collects its bytes in memory.
 */
export class PacketLimit {
  /** May be raised once the client has said who it is. */
  max_bytes: number;
  #remaining = 0;
  #length = 0;
  #shift = -1;

  constructor(max_bytes: number) {
    this.max_bytes = max_bytes;
  }

  /** false: this packet is too large or its length is no length; the stream is of no use any more. */
  accepts(chunk: Uint8Array): boolean {
    let at = 0;
    while (at < chunk.length) {
      if (this.#remaining > 0) {
        const taken = Math.min(this.#remaining, chunk.length - at);
        this.#remaining -= taken;
        at += taken;
      } else if (this.#shift < 0) {
        this.#shift = 0;
        this.#length = 0;
        at += 1;
      } else if (!this.#lengthByte(chunk[at++]!)) return false;
    }
    return true;
  }

  #lengthByte(byte: number): boolean {
    this.#length += (byte & 0x7f) * 2 ** this.#shift;
    this.#shift += 7;
    if (this.#length > this.max_bytes || this.#shift > 28) return false;
    if (byte >= 0x80) return this.#shift < 28;
    this.#remaining = this.#length;
    this.#shift = -1;
    return true;
  }
}

/**
 * CRC-32C (Castagnoli), the checksum of a batch: the journal guards its blobs with it and the collector compares two
 * deliveries of one batch by it.
 *
 * Source   RFC 3720 §12.1 and appendix B.4: reflected polynomial 0x82F63B78, start and final XOR 0xFFFFFFFF.
 * Method   slicing-by-8: eight tables (8 KiB), eight bytes a step. It finds errors, it does not withstand an attacker.
 */
const POLYNOMIAL_REFLECTED = 0x82f63b78;
const SLICES = 8;

/** `TABLES[k * 256 + b]`: what byte `b` does to the checksum when `k` more bytes follow it in the same step. */
const TABLES = makeTables();

function makeTables(): Int32Array {
  const tables = new Int32Array(SLICES * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL_REFLECTED : crc >>> 1;
    tables[byte] = crc;
  }
  for (let at = 256; at < tables.length; at++) {
    const before = tables[at - 256]!;
    tables[at] = (before >>> 8) ^ tables[before & 0xff]!;
  }
  return tables;
}

/**
 * Checksum of `bytes` as an unsigned 32-bit number. Pass the checksum of what came before as `seed` to go on:
 * `crc32c(b, crc32c(a))` is the checksum of `a` followed by `b`.
 */
export function crc32c(bytes: Uint8Array, seed = 0): number {
  const length = bytes.length;
  const stepsEnd = length - (length % SLICES);
  let crc = ~seed;
  let at = 0;
  for (; at < stepsEnd; at += SLICES) {
    crc ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    crc =
      TABLES[1792 + (crc & 0xff)]! ^
      TABLES[1536 + ((crc >>> 8) & 0xff)]! ^
      TABLES[1280 + ((crc >>> 16) & 0xff)]! ^
      TABLES[1024 + (crc >>> 24)]! ^
      TABLES[768 + bytes[at + 4]!]! ^
      TABLES[512 + bytes[at + 5]!]! ^
      TABLES[256 + bytes[at + 6]!]! ^
      TABLES[bytes[at + 7]!]!;
  }
  for (; at < length; at++) crc = (crc >>> 8) ^ TABLES[(crc ^ bytes[at]!) & 0xff]!;
  return ~crc >>> 0;
}

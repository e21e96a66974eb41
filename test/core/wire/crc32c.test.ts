import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { crc32c } from "../../../core/wire/crc32c.ts";

/** Bit by bit, as the definition says: slow and plain. */
function plainCrc32c(bytes: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f6_3b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}

describe("known checksums", () => {
  const ascending = Uint8Array.from({ length: 32 }, (_, at) => at);
  const iscsiRead = new Uint8Array(48);
  iscsiRead.set([0x01, 0xc0, 0, 0], 0);
  iscsiRead.set([0x14, 0, 0, 0, 0, 0, 0x04, 0, 0, 0, 0, 0x14, 0, 0, 0, 0x18, 0x28], 16);
  iscsiRead.set([0x02], 40);

  // RFC 3720 B.4 prints the bytes in the order of transmission: aa 36 91 8a is 0x8a9136aa.
  const VECTORS: readonly [string, Uint8Array, number][] = [
    ["nothing", new Uint8Array(), 0],
    ["123456789", new TextEncoder().encode("123456789"), 0xe306_9283],
    ["32 bytes of zeros (RFC 3720 B.4)", new Uint8Array(32), 0x8a91_36aa],
    ["32 bytes of ones (RFC 3720 B.4)", new Uint8Array(32).fill(0xff), 0x62a8_ab43],
    ["32 bytes ascending (RFC 3720 B.4)", ascending, 0x46dd_794e],
    ["32 bytes descending (RFC 3720 B.4)", ascending.toReversed(), 0x113f_db5c],
    ["an iSCSI read command (RFC 3720 B.4)", iscsiRead, 0xd996_3a56],
  ];
  for (const [name, bytes, expected] of VECTORS) {
    test(name, () => {
      expect(crc32c(bytes)).toBe(expected);
    });
  }
});

test("it is the checksum of the definition, for every length and place in a buffer", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(9), (bytes, from) => {
      expect(crc32c(bytes.subarray(from))).toBe(plainCrc32c(bytes.subarray(from)));
    }),
  );
});

test("a checksum can be continued", () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.uint8Array(), (a, b) => {
      expect(crc32c(b, crc32c(a))).toBe(crc32c(new Uint8Array([...a, ...b])));
    }),
  );
});

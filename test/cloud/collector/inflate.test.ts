import { deflateSync, gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { COMPRESSED_UUID, inflated } from "../../../cloud/collector/inflate.ts";
import { KhuXanhError } from "../../../core/errors.ts";
import { data, decodePayload, encodePayload, metric, type Payload } from "../../../core/wire/payload.ts";

const T = 1_760_000_000_000;
const inner: Payload = {
  timestamp_ms: T,
  metrics: [data.double({ alias: 200, timestamp_ms: T }, 231.25), data.string({ alias: 7, timestamp_ms: T }, "x")],
};

/** As Tahu sends it, over the wire. */
function compressed(body: Uint8Array, algorithm: string | null, seq?: number): Payload {
  const metrics = algorithm === null ? [] : [metric.string({ name: "algorithm" }, algorithm)];
  return decodePayload(encodePayload({ metrics, uuid: COMPRESSED_UUID, body, ...(seq === undefined ? {} : { seq }) }));
}

const codeOf = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    return error instanceof KhuXanhError ? error.code : `no code: ${error}`;
  }
  return "none";
};

test.each([
  ["GZIP", gzipSync],
  ["DEFLATE", deflateSync],
] as const)("%s is undone; seq comes from outside where the inner one has none", (algorithm, pack) => {
  expect(inflated(compressed(pack(encodePayload(inner)), algorithm, 9))).toEqual({ ...inner, seq: 9 });
  expect(inflated(compressed(pack(encodePayload({ ...inner, seq: 3 })), algorithm, 9))).toEqual({ ...inner, seq: 3 });
});

test("without an algorithm it is DEFLATE, and what is not compressed stays as it is", () => {
  expect(inflated(compressed(deflateSync(encodePayload(inner)), null))).toEqual(inner);
  expect(inflated(inner)).toBe(inner);
  expect(inflated({ ...inner, uuid: "something else" }).uuid).toBe("something else");
});

describe("is refused with a code", () => {
  test.each([
    ["another algorithm", () => compressed(gzipSync(encodePayload(inner)), "ZSTD"), "WIRE_MALFORMED"],
    ["a body that does not inflate", () => compressed(new Uint8Array([1, 2, 3]), "GZIP"), "WIRE_MALFORMED"],
    ["no body", () => ({ metrics: [], uuid: COMPRESSED_UUID }), "WIRE_MALFORMED"],
    ["a bomb", () => compressed(gzipSync(new Uint8Array(20 * 1024 * 1024)), "GZIP"), "WIRE_TOO_LARGE"],
    ["a body that is no payload", () => compressed(gzipSync(new Uint8Array([0x0a, 0xff])), "GZIP"), "WIRE_MALFORMED"],
  ] as const)("%s", (_name, make, code) => {
    expect(codeOf(() => inflated(make()))).toBe(code);
  });

  test("law: whatever the body, a payload or one of the two codes", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }),
        fc.constantFrom("GZIP", "DEFLATE", "X", null),
        (body, algorithm) => {
          expect(["none", "WIRE_MALFORMED", "WIRE_TOO_LARGE"]).toContain(
            codeOf(() => inflated(compressed(body, algorithm))),
          );
        },
      ),
    );
  });
});

import fc from "fast-check";
import { expect, test } from "vitest";
import { encodeState, parseState } from "../../../core/wire/state.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

test("a STATE body is the JSON of the standard, to the letter", () => {
  expect(new TextDecoder().decode(encodeState({ online: true, timestamp_ms: 1_760_000_000_000 }))).toBe(
    '{"online":true,"timestamp":1760000000000}',
  );
});

test("what is written is read back", () => {
  fc.assert(
    fc.property(fc.boolean(), fc.maxSafeNat(), (online, timestamp_ms) => {
      expect(parseState(encodeState({ online, timestamp_ms }))).toStrictEqual({ online, timestamp_ms });
    }),
  );
});

test("another order, spaces and keys we do not know do no harm", () => {
  expect(parseState(bytes(' {"timestamp": 5, "host": "x", "online": false} '))).toStrictEqual({
    online: false,
    timestamp_ms: 5,
  });
});

for (const text of [
  "",
  "ONLINE",
  "true",
  "null",
  "[]",
  "{}",
  '{"online":true}',
  '{"timestamp":5}',
  '{"online":"true","timestamp":5}',
  '{"online":1,"timestamp":5}',
  '{"online":true,"timestamp":"5"}',
  '{"online":true,"timestamp":5.5}',
  '{"online":true,"timestamp":-5}',
  '{"online":true,"timestamp":1e300}',
  '{"online":true,"timestamp":null}',
  '{"online":true,"timestamp":5',
  `{"online":true,"timestamp":5,"pad":"${"x".repeat(1024)}"}`,
]) {
  test(`${JSON.stringify(text.slice(0, 60))} is no STATE`, () => {
    expect(parseState(bytes(text))).toBeNull();
  });
}

test("bytes that are not UTF-8 are no STATE", () => {
  expect(parseState(new Uint8Array([...bytes('{"online":true,"timestamp":5,"a":"'), 0xff, ...bytes('"}')]))).toBeNull();
});

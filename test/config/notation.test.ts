import fc from "fast-check";
import { expect, test } from "vitest";
import { editDistance, nearest } from "../../config/nearest.ts";
import { parseListen } from "../../config/notation/address.ts";
import { parseBrokerUrl } from "../../config/notation/brokerUrl.ts";
import { parseBusUrl } from "../../config/notation/busUrl.ts";
import { sameNumber, timesInteger } from "../../config/notation/decimalText.ts";
import { formatDuration, parseDuration } from "../../config/notation/duration.ts";
import { parseLocalDate } from "../../config/notation/localDate.ts";
import { parseGroupName, parseTimeZone, parseTopicName } from "../../config/notation/names.ts";
import type { Parsed } from "../../config/notation/parsed.ts";
import { parseSize } from "../../config/notation/size.ts";
import { unitFits } from "../../config/notation/unitFamily.ts";

const value = <T>(result: Parsed<T>): T => {
  if (!result.ok) throw new Error(result.problem);
  return result.value;
};
const problem = (result: Parsed<unknown>): string => (result.ok ? "no problem" : result.problem);

test("durations are milliseconds", () => {
  expect(["500ms", "1s", "15min", "1.5h", "60d", "1.1s", "2 min"].map((text) => value(parseDuration(text)))).toEqual([
    500, 1000, 900_000, 5_400_000, 5_184_000_000, 1100, 120_000,
  ]);
});

test("a duration in somebody else's spelling is asked back in ours", () => {
  const allowed = "allowed: a number and ms, s, min, h or d";
  expect(problem(parseDuration("15m"))).toBe(`"15m" is not a duration (${allowed}; did you mean 15min?)`);
  expect(problem(parseDuration("2 Hours"))).toBe(`"2 Hours" is not a duration (${allowed}; did you mean 2h?)`);
  expect(problem(parseDuration("10"))).toBe(`"10" has no unit of time (${allowed})`);
  expect(problem(parseDuration("soon"))).toBe(`"soon" is not a duration (${allowed})`);
  expect(problem(parseDuration("0s"))).toBe('"0s" must be longer than 0');
  expect(problem(parseDuration("0.5ms"))).toBe('"0.5ms" is finer than a millisecond');
  expect(problem(parseDuration("99999d"))).toBe('"99999d" is longer than 3650d');
});

test("a duration written by us is read as the same duration", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 3650 * 86_400_000 }), (ms) => {
      expect(value(parseDuration(formatDuration(ms)))).toBe(ms);
    }),
  );
});

test("sizes are bytes in powers of two, and a decimal size is asked back", () => {
  expect(["64MiB", "4GiB", "1.5KiB", "10B"].map((text) => value(parseSize(text)))).toEqual([
    67_108_864,
    2 ** 32,
    1536,
    10,
  ]);
  const allowed = "allowed: a number and B, KiB, MiB, GiB or TiB";
  expect(problem(parseSize("4 GB"))).toBe(`"4 GB" is not a size (${allowed}; did you mean 4GiB?)`);
  expect(problem(parseSize("4 GB?"))).toBe(`"4 GB?" is not a size (${allowed}; did you mean 4GiB?)`);
  expect(problem(parseSize("4096"))).toBe(`"4096" has no unit of size (${allowed})`);
  expect(problem(parseSize("0.3B"))).toBe('"0.3B" is not a whole number of bytes');
});

test("bus addresses become plain values with the protocol's defaults", () => {
  expect(value(parseBusUrl("tcp://10.0.0.7?unit=3"))).toEqual({ kind: "tcp", host: "10.0.0.7", port: 502, unit: 3 });
  expect(value(parseBusUrl("tcp://[fe80::1]:5020"))).toEqual({ kind: "tcp", host: "fe80::1", port: 5020, unit: null });
  expect(value(parseBusUrl("rtu+tcp://moxa:4001"))).toEqual({ kind: "rtu+tcp", host: "moxa", port: 4001, unit: null });
  expect(value(parseBusUrl("rtu:///dev/ttyUSB0?baud=19200&parity=even&stop=2&unit=1"))).toEqual({
    kind: "rtu",
    path: "/dev/ttyUSB0",
    baud: 19_200,
    parity: "even",
    stop_bits: 2,
    unit: 1,
  });
  expect(value(parseBusUrl("rtu://COM3"))).toMatchObject({ path: "COM3", baud: 9600, parity: "none", stop_bits: 1 });
});

test("what is wrong with a bus address is said in one line", () => {
  expect(problem(parseBusUrl("tpc://host"))).toBe(
    '"tpc://" is no kind of bus (allowed: tcp, rtu, rtu+tcp; did you mean tcp?)',
  );
  expect(problem(parseBusUrl("10.0.0.7:502"))).toBe(
    '"10.0.0.7:502" is not a bus address (allowed: tcp://host:502, rtu:///dev/ttyUSB0?baud=9600, rtu+tcp://host:port)',
  );
  expect(problem(parseBusUrl("rtu:///dev/ttyS0?parity=N"))).toBe(
    "parity=N is no parity (allowed: none, even, odd; did you mean none?)",
  );
  expect(problem(parseBusUrl("rtu:///dev/ttyS0?stop=3"))).toBe("stop=3 is no number of stop bits (allowed: 1, 2)");
  expect(problem(parseBusUrl("rtu:///dev/ttyS0?baut=9600"))).toBe(
    "unknown parameter baut in the bus address (allowed: baud, parity, stop, unit; did you mean baud?)",
  );
  expect(problem(parseBusUrl("tcp://host?unit=1&unit=2"))).toBe("parameter unit stands twice in the bus address");
  expect(problem(parseBusUrl("tcp://host?unit=300"))).toBe("unit=300 is no Modbus unit (allowed: 0 to 255)");
  expect(problem(parseBusUrl("tcp://host:70000"))).toBe("port 70000 is too big (allowed: 0 to 65535)");
  expect(problem(parseBusUrl("rtu://?baud=9600"))).toBe(
    "a serial line needs its device (e.g. rtu:///dev/ttyUSB0?baud=9600)",
  );
  expect(problem(parseBusUrl("rtu:///dev/ttyS0?baud=9601"))).toMatch(
    /^baud=9601 is no speed of a serial line \(allowed: 300, /,
  );
});

test("any text is either a bus address or a problem, never an exception", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.string().map((tail) => `tcp://${tail}`),
        fc.string().map((tail) => `rtu://${tail}`),
      ),
      (text) => {
        const result = parseBusUrl(text);
        expect(result.ok || result.problem.length > 0).toBe(true);
      },
    ),
  );
});

test("broker addresses get their usual port, and carry no password", () => {
  expect(value(parseBrokerUrl("mqtt://broker"))).toEqual({
    kind: "mqtt",
    host: "broker",
    port: 1883,
    url: "mqtt://broker:1883",
  });
  expect(value(parseBrokerUrl("mqtts://[::1]"))).toEqual({
    kind: "mqtts",
    host: "::1",
    port: 8883,
    url: "mqtts://[::1]:8883",
  });
  expect(problem(parseBrokerUrl("mqtt://me:secret@broker"))).toBe(
    "a password does not belong in the address (use username and password_file)",
  );
  expect(problem(parseBrokerUrl("mqttt://broker"))).toBe(
    '"mqttt://" is no kind of broker (allowed: mqtt, mqtts; did you mean mqtt?)',
  );
});

test("only loopback may be listened on", () => {
  for (const text of ["127.0.0.1:0", "127.1.2.3:80", "localhost:8080", "[::1]:8080"])
    expect(parseListen(text).ok).toBe(true);
  for (const text of ["0.0.0.0:80", "192.168.1.2:80", "[::]:80", "example.org:80"])
    expect(parseListen(text)).toMatchObject({ ok: false, code: "LISTEN_NOT_LOOPBACK" });
  expect(problem(parseListen("8080"))).toBe(
    '"8080" is not an address to listen on (allowed: host:port, e.g. 127.0.0.1:8081)',
  );
});

test("names are legal parts of Sparkplug topics", () => {
  expect(value(parseTopicName("Lò nung 1"))).toBe("Lò nung 1");
  expect(problem(parseTopicName(""))).toBe("must not be empty");
  expect(problem(parseTopicName("gw/01"))).toBe('"gw/01" cannot be part of an MQTT topic: it contains /');
  expect(problem(parseTopicName("gw\n"))).toBe(
    '"gw\n" cannot be part of an MQTT topic: it contains a control character',
  );
  expect(problem(parseTopicName(" gw"))).toBe('" gw" begins or ends with a blank');
  expect(problem(parseGroupName("STATE"))).toBe('"STATE" is reserved by Sparkplug and cannot name a zone');
  expect(problem(parseTopicName("x".repeat(65)))).toBe('"xxxxxxxxxxxxxxxxxxxx…" is longer than 64 characters');
});

test("a time zone must be known to Intl", () => {
  expect(value(parseTimeZone("Asia/Ho_Chi_Minh"))).toBe("Asia/Ho_Chi_Minh");
  expect(problem(parseTimeZone("Asia/Ho_Chi_Min"))).toBe(
    'time zone "Asia/Ho_Chi_Min" is not known (did you mean Asia/Ho_Chi_Minh?)',
  );
  expect(problem(parseTimeZone("Hanoi"))).toBe(
    'time zone "Hanoi" is not known (allowed: an IANA name, e.g. Asia/Ho_Chi_Minh)',
  );
});

test("a local day begins seven hours before the UTC day", () => {
  expect(new Date(value(parseLocalDate("2018-01-01"))).toISOString()).toBe("2017-12-31T17:00:00.000Z");
  expect(problem(parseLocalDate("2023-02-30"))).toBe('"2023-02-30" is no day of the calendar');
  expect(problem(parseLocalDate("1/2/2023"))).toBe(
    '"1/2/2023" is not a date (allowed: year-month-day, e.g. 2023-01-01)',
  );
});

test("decimals are multiplied exactly and compared by value", () => {
  expect(timesInteger("0.9130", 1000)).toBe("913");
  expect(timesInteger("0.6592", 1000)).toBe("659.2");
  expect(sameNumber("0.68110", "0.6811")).toBe(true);
  expect(sameNumber("0.6811", "0.6812")).toBe(false);
});

test("units fit when they differ by a factor, and counts fit volumes", () => {
  expect(unitFits("Wh", "kWh")).toBe(true);
  expect(unitFits("L", "m3")).toBe(true);
  expect(unitFits("count", "Nm3")).toBe(true);
  expect(unitFits("kWh", "W")).toBe(false);
  expect(unitFits("count", "kWh")).toBe(false);
});

test("the nearest word is at most a third of its letters away", () => {
  const words = ["meters", "model", "timeout"];
  expect(nearest("modle", words)).toBe("model");
  expect(nearest("METER", words)).toBe("meters");
  expect(nearest("broker", words)).toBeUndefined();
  expect(nearest("", ["3", "4"])).toBeUndefined();
  expect(nearest("x", ["3", "4"])).toBeUndefined();
});

test("edit distance is a metric where it must be: zero for equals, symmetric, at most the longer length", () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 20 }), fc.string({ maxLength: 20 }), (a, b) => {
      expect(editDistance(a, a)).toBe(0);
      expect(editDistance(a, b)).toBe(editDistance(b, a));
      expect(editDistance(a, b)).toBeLessThanOrEqual(Math.max(a.length, b.length));
      expect(editDistance(a, b) === 0).toBe(a === b);
    }),
  );
});

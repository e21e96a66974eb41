import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, expect, test } from "vitest";
import { isRequired, pathOf, type Service } from "../../services.ts";

/**
 * A meter the library has never seen, described in a file of its format and served by Modbus servers that are not ours. The words
 * are written by Python's `struct` and by hand, not by our encoder.
 */
const MODEL = fileURLToPath(new URL("unseen.yaml", import.meta.url));
const BIN = fileURLToPath(new URL("../../../cli/bin.ts", import.meta.url));

const HOLDING: Readonly<Record<number, readonly number[]>> = {
  100: [2315, 0xffff],
  102: [0xff83], // -125
  103: [0x0001, 0x86a0], // 100000
  105: [0x86a0, 0x0001],
  107: [0xffff, 0xfc18], // -1000
  109: [0xfc18, 0xffff],
  111: [0x4248, 0x0000], // 50.0
  113: [0x0000, 0x4367], // 231.0
  200: [0xfffe, 12345, 80], // exponent -2: 123.45 A; CT 80
  203: [0x0000, 0x01f4], // 500 x 80
  65534: [4000],
};
const INPUT: Readonly<Record<number, readonly number[]>> = {
  5000: [0x0000, 0x0001, 0x0000, 0x0001], // 2^32 + 1 Wh
  5004: [0x0001, 0x0000, 0x0001, 0x0000],
  5008: [0x0000, 0x0000, 0x0001, 0xe240], // 123456
  5012: [0xe240, 0x0001, 0x0000, 0x0000],
  5016: [0x40fe, 0x2400, 0x0000, 0x0000], // 123456.0
  5020: [0x0000, 0x0000, 0x2400, 0x40fe],
  5100: [0x4143, 0x4d45, 0x2d37, 0x0000], // "ACME-7"
};
const READ: Readonly<Record<string, number | string | null>> = {
  voltage_l1: 231.5,
  voltage_l2: null,
  temperature_cabinet: -12.5,
  current_l1: 100,
  current_l2: 100,
  active_power_l1: -1000,
  active_power_l2: -1000,
  frequency: 50,
  voltage_l3: 231,
  active_energy_import_total: 4294967.297,
  active_energy_export_total: 4294967.297,
  reactive_energy_import_total: 123.456,
  reactive_energy_export_total: 123.456,
  apparent_energy_total: 123.456,
  active_energy_total: 123.456,
  serial_text: "ACME-7",
  current_scale_exp: -2,
  current_l3: 123.45,
  ct_ratio: 80,
  active_power_total: 40000,
  voltage_l1_l2: 400,
};

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

const flat = (image: typeof HOLDING): [number, number][] =>
  Object.entries(image).flatMap(([start, words]) =>
    words.map((word, i): [number, number] => [Number(start) + i, word]),
  );

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function serving(child: ChildProcessWithoutNullStreams, input: string): Promise<void> {
  ends.push(() => child.kill("SIGKILL"));
  let told = "";
  child.stderr.on("data", (part) => {
    told += part;
  });
  child.stdin.end(input);
  const ready = once(child.stdout, "data");
  const ended = once(child, "exit").then(([code]) =>
    Promise.reject(new Error(`the server ended with ${code}: ${told}`)),
  );
  ended.catch(() => {});
  await Promise.race([ready, ended]);
}

const SERVERS: Readonly<Partial<Record<Service, (program: string, port: number) => Promise<void>>>> = {
  async pymodbus(python, port) {
    const image = { port, holding: Object.fromEntries(flat(HOLDING)), input: Object.fromEntries(flat(INPUT)) };
    const program = fileURLToPath(new URL("pymodbusServer.py", import.meta.url));
    await serving(spawn(python, ["-B", program]), `${JSON.stringify(image)}\n`);
  },
  async libmodbus(compiler, port) {
    const folder = mkdtempSync(join(tmpdir(), "khuxanh-libmodbus-"));
    ends.push(() => rmSync(folder, { recursive: true }));
    const program = join(folder, "server");
    execFileSync(compiler, [fileURLToPath(new URL("libmodbusServer.c", import.meta.url)), "-o", program, "-lmodbus"]);
    const lines = [[3, HOLDING] as const, [4, INPUT] as const].flatMap(([code, image]) =>
      flat(image).map(([address, word]) => `${code} ${address} ${word}\n`),
    );
    await serving(spawn(program, [String(port)]), `${lines.join("")}end\n`);
  },
};

for (const service of ["pymodbus", "libmodbus"] as const) {
  const program = pathOf(service);
  const skipped = program === null && !isRequired ? `, skipped: needs ${service}` : "";
  test.skipIf(skipped !== "")(`a meter from a file reads right on a server of ${service}${skipped}`, async () => {
    const port = await freePort();
    await SERVERS[service]!(program!, port);
    const document = await probed(`tcp://127.0.0.1:${port}?unit=17`);
    expect(document.unread).toEqual([]);
    expect(Object.fromEntries(document.readings.map(({ name, value }) => [name, value]))).toEqual(READ);
  });
}

interface Probed {
  readonly readings: readonly { readonly name: string; readonly value: number | string | null }[];
  readonly unread: readonly unknown[];
}

/** What `khuxanh probe URL --model FILE --json` prints. */
async function probed(url: string): Promise<Probed> {
  const child = spawn(process.execPath, [BIN, "probe", url, "--model", MODEL, "--json"]);
  ends.push(() => child.kill("SIGKILL"));
  let out = "";
  let err = "";
  child.stdout.on("data", (part) => {
    out += part;
  });
  child.stderr.on("data", (part) => {
    err += part;
  });
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`probe ended with ${code}: ${err}`);
  return JSON.parse(out);
}

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach } from "vitest";
import { loadModelLibrary } from "../../config/models.ts";
import { readProfile } from "../../hw-sim/profiles/io.ts";
import { startSim } from "../../hw-sim/sim.ts";
import type { SimMeterSpec } from "../../hw-sim/simConfig.ts";
import { foreignServer, rawServer, rtuFrame } from "../drivers/modbus/servers.ts";

/** Meters on real sockets for the commands that read them; closed after each test. */
const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const thing of open.splice(0)) await thing.close();
});

function kept<T extends { close(): Promise<void> }>(thing: T): T {
  open.push(thing);
  return thing;
}

/** Simulated meters on one port, all as of one moment: a weekday morning at the steel plant. */
export async function simulatedMeters(...meters: readonly SimMeterSpec[]): Promise<string> {
  const at_ms = Date.parse("2018-03-01T10:30:00+07:00");
  const sim = await startSim(
    {
      seed: 1,
      time_zone: "Asia/Ho_Chi_Minh",
      lines: [{ listen: { kind: "tcp", host: "127.0.0.1", port: 0 }, meters }],
    },
    { models: loadModelLibrary(), clock: { now_ms: () => at_ms, mono_ms: () => 0 }, readProfile },
  );
  return `tcp://127.0.0.1:${kept(sim).lines[0]!.port}`;
}

/** Blocks of words by start address, as hex: `{0: "436B 708B"}`. */
export type Words = Readonly<Record<number, string>>;

/** The Modbus server of modbus-serial, answering every unit with these words. */
export async function foreignMeter(spaces: { readonly holding?: Words; readonly input?: Words }): Promise<string> {
  const server = await foreignServer(imageOf(spaces.holding ?? {}), imageOf(spaces.input ?? {}));
  return `tcp://127.0.0.1:${kept(server).port}`;
}

/** Accepts connections and never answers. */
export async function silentMeter(): Promise<string> {
  return `tcp://127.0.0.1:${kept(await rawServer(() => {})).port}`;
}

/** A pseudo-terminal (made by socat) with an RTU meter of unit 9 at its other end; every other unit is silent. */
export async function serialMeter(input: Words): Promise<string> {
  const image = imageOf(input);
  const server = kept(
    await rawServer((request, socket) => {
      const [unit = 0, code = 0] = request;
      if (unit !== 9) return;
      const words = Array.from({ length: request.readUInt16BE(4) }, (_, i) => image.get(request.readUInt16BE(2) + i));
      const bytes = words.flatMap((word) => (word === undefined ? [] : [word >> 8, word & 0xff]));
      const isKnown = code === 4 && bytes.length === 2 * words.length;
      socket.write(rtuFrame(isKnown ? [unit, code, bytes.length, ...bytes] : [unit, code | 0x80, 2]));
    }),
  );
  const folder = mkdtempSync(join(tmpdir(), "khuxanh-line-"));
  const path = join(folder, "line");
  // -d -d: it says when the line stands.
  const socat = spawn("socat", ["-d", "-d", `pty,raw,echo=0,link=${path}`, `tcp:127.0.0.1:${server.port}`]);
  kept({
    async close() {
      const ended = new Promise((resolve) => socat.once("close", resolve));
      socat.kill();
      await ended;
      rmSync(folder, { recursive: true });
    },
  });
  await new Promise<void>((resolve) => {
    let said = "";
    socat.stderr.on("data", (chunk) => {
      said += chunk;
      if (said.includes("starting data transfer loop")) resolve();
    });
  });
  return `rtu://${path}`;
}

function imageOf(words: Words): ReadonlyMap<number, number> {
  return new Map(
    Object.entries(words).flatMap(([start, text]) =>
      text.split(" ").map((word, i): [number, number] => [Number(start) + i, Number.parseInt(word, 16)]),
    ),
  );
}

/** Raw words of a real SDM630 (RTU frames in Tasmota issue 18446, input registers). */
export const SDM630_INPUT: Words = {
  0: "436B 708B 436D ECB8 436B D840 4004 AA8B 401A 8AB3 3FD5 546F 42EC 9CCE C3FC FE91 C377 B2F4",
  24: "C3D9 D2F4 C35F AB7A C37D 170B 3E83 FB21 BF69 A54A BF32 B49A",
  70: "4247 8EC1",
  342: "46BF C788",
  346: "45E6 88A9 4536 E574 45F8 E281 451A 4DDB 4505 F506 44D0 7B2B",
};

/** What they mean, as computed from the frames by others (float32, high word first). */
export const SDM630_VALUES: Readonly<Record<string, number>> = {
  voltage_l1: 235.4396209716797,
  voltage_l2: 237.9246826171875,
  voltage_l3: 235.8447265625,
  current_l1: 2.072909116744995,
  current_l2: 2.414715528488159,
  current_l3: 1.6666392087936401,
  active_power_l1: 118.30625915527344,
  active_power_l2: -505.9888000488281,
  active_power_l3: -247.69903564453125,
  reactive_power_l1: -435.6480712890625,
  reactive_power_l2: -223.66983032226562,
  reactive_power_l3: -253.0900115966797,
  power_factor_l1: 0.25777533650398254,
  power_factor_l2: -0.9126783609390259,
  power_factor_l3: -0.6980682611465454,
  frequency: 49.889408111572266,
  active_energy_total: 24547.765625,
  active_energy_import_l1: 7377.08251953125,
  active_energy_import_l2: 2926.3408203125,
  active_energy_import_l3: 7964.31298828125,
  active_energy_export_l1: 2468.865966796875,
  active_energy_export_l2: 2143.31396484375,
  active_energy_export_l3: 1667.8489990234375,
};

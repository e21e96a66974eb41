import { resolveModel } from "../../config/models.ts";
import { parseBusUrl } from "../../config/notation/busUrl.ts";
import { parseDuration } from "../../config/notation/duration.ts";
import { openBus } from "../../drivers/modbus/client.ts";
import { type ProbeResult, probe } from "../../drivers/probe.ts";
import { type Command, optional, required, usage } from "../command.ts";
import { systemClock, systemTimers } from "../io/system.ts";
import { table } from "./models.ts";

const command: Command = {
  summary: "read one meter once",
  help: `
khuxanh probe URL --model ID_OR_FILE [--timeout 1s] [--json]

  URL         tcp://host[:502]?unit=1
              rtu:///dev/ttyUSB0?baud=9600&parity=none&stop=1&unit=1
              rtu+tcp://host:port?unit=1
  --model     id of the library (khuxanh models) or a model file
  --timeout   how long to wait for each answer

Reads every register of the model, and nothing else; it never writes. Exit code 1 if no register could be read.`,
  options: { model: { type: "string" }, timeout: { type: "string" }, json: { type: "boolean" } },
  async run(args) {
    const written = args.positionals[0];
    if (written === undefined) throw usage("the URL of the meter is missing", "e.g. tcp://192.168.1.5:502?unit=1");
    const url = parseBusUrl(written);
    if (!url.ok) throw usage(url.problem);
    const model = resolveModel(required(args, "model"));
    const timeout = parseDuration(optional(args, "timeout") ?? "1s");
    if (!timeout.ok) throw usage(`--timeout: ${timeout.problem}`);
    const at = new Date(systemClock.now_ms()).toISOString();
    const bus = openBus(url.value);
    try {
      const result = await probe(bus, url.value.unit ?? model.defaults.unit_id ?? 1, model, {
        timeout_ms: timeout.value,
        wait: (delay_ms) => new Promise((resolve) => systemTimers.after(delay_ms, () => resolve())),
      });
      const { exchanges, readings, unread } = result;
      const document = { model: model.id, url: written, at, exchanges, readings, unread };
      process.stdout.write(args.values.json === true ? `${JSON.stringify(document, null, 2)}\n` : text(result));
      return readings.length === 0 ? 1 : 0;
    } finally {
      await bus.close();
    }
  },
};

function text({ readings, unread, exchanges }: ProbeResult): string {
  const rows = readings.map(({ name, value, unit, quality }) => [
    name,
    value === null ? "–" : String(value),
    unit,
    quality === "good" ? "" : quality,
  ]);
  const failed = unread.map(({ name, why }) => [name, "not read", "", why]);
  return `${table([...rows, ...failed])}${readings.length} read, ${unread.length} not read, ${exchanges} exchanges\n`;
}

export default command;

import { loadModelLibrary, resolveModel } from "../../config/models.ts";
import type { MeterModel } from "../../core/model/meterModel.ts";
import { type Command, usage } from "../command.ts";

const command: Command = {
  summary: "the device library: list it, show one model",
  help: `
khuxanh models [list] [--json]
khuxanh models show ID_OR_FILE [--json]

"proven" says that a golden vector (words and values from a datasheet or a capture) proves the table.`,
  options: { json: { type: "boolean" } },
  async run({ positionals: [what = "list", id], values: { json } }) {
    if (what === "list") {
      const models = [...loadModelLibrary().values()];
      process.stdout.write(json === true ? `${JSON.stringify(models.map(summaryOf), null, 2)}\n` : listText(models));
    } else if (what === "show") {
      if (id === undefined) throw usage("models show needs the id of a model or a model file");
      const model = resolveModel(id);
      process.stdout.write(json === true ? `${JSON.stringify(model, null, 2)}\n` : showText(model));
    } else throw usage(`models ${what}: there is only list and show`);
    return 0;
  },
};

function summaryOf({ id, manufacturer, model, measures, transport, confidence, proven, version }: MeterModel) {
  return { id, manufacturer, model, measures, transport, confidence, proven, version };
}

function listText(models: readonly MeterModel[]): string {
  const rows = models.map(({ id, measures, transport, confidence, proven }) => [
    id,
    measures.join(", "),
    transport.join(", "),
    confidence,
    proven ? "proven" : "unproven",
  ]);
  return table([["id", "measures", "ports", "confidence", "golden vector"], ...rows]);
}

function showText(model: MeterModel): string {
  const rows = (registers: MeterModel["registers"]) =>
    registers.map((r) => [
      r.name,
      `fc ${r.fc}`,
      String(r.address),
      r.word_order === "little" && r.words > 1 ? `${r.type}-lo` : r.type,
      `× ${r.scale}`,
      r.unit,
      r.kind === "gauge" ? "" : r.kind,
      r.confidence ?? "",
    ]);
  const head = [
    `${model.id}   ${model.manufacturer} ${model.model}   version ${model.version}`,
    `confidence ${model.confidence}, ${model.proven ? "proven by a golden vector" : "UNPROVEN: no golden vector"}`,
    ...model.unverified.map((text) => `unverified: ${text}`),
    model.quirks === "" ? "" : `quirks: ${model.quirks.trim()}`,
    "",
  ];
  const blocks = (model.discovery?.blocks ?? []).map(
    ({ model_id, registers, modules }) =>
      `\nblock ${model_id}${modules === undefined ? "" : `, up to ${modules.max} modules of ${modules.length} registers`}\n${table(rows(registers))}`,
  );
  return `${head.join("\n")}\n${table(rows(model.registers))}${blocks.join("")}`;
}

export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  const lines = rows.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join("  ")
      .trimEnd(),
  );
  return `${lines.join("\n")}\n`;
}

export default command;

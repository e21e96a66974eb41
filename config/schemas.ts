import { z } from "zod";
import { agentSchema } from "./files/agent.ts";
import { calcSchema } from "./files/calc.ts";
import { collectorSchema } from "./files/collector.ts";
import { factorsSchema } from "./files/factors.ts";
import { fillsSchema } from "./files/fills.ts";
import { instrumentsSchema } from "./files/instruments.ts";
import { modelSchema } from "./files/model.ts";
import { simSchema } from "./files/sim.ts";
import { tariffSchema } from "./files/tariff.ts";
import { ownFolder, writeText } from "./io.ts";

/** Every kind of file a person writes. */
export const FILE_SCHEMAS = {
  agent: agentSchema,
  collector: collectorSchema,
  sim: simSchema,
  model: modelSchema,
  factors: factorsSchema,
  calc: calcSchema,
  tariff: tariffSchema,
  fills: fillsSchema,
  instruments: instrumentsSchema,
} as const satisfies Record<string, z.ZodType>;

export type FileKind = keyof typeof FILE_SCHEMAS;
export const FILE_KINDS = Object.keys(FILE_SCHEMAS) as readonly FileKind[];

/** What editors need to complete and check a file while it is written: the input side of its schema. */
export function jsonSchema(kind: FileKind): Readonly<Record<string, unknown>> {
  const schema = z.toJSONSchema(FILE_SCHEMAS[kind], {
    io: "input",
    // Parsed values are read-only in the program; the person who writes the file may of course change them.
    override: ({ jsonSchema }) => {
      delete jsonSchema.readOnly;
    },
  });
  return { title: `Khu Xanh: ${kind} file`, ...schema };
}

/** The keys a file of this kind may have at its top. */
export function topKeys(kind: FileKind): readonly string[] {
  return Object.keys((jsonSchema(kind).properties ?? {}) as object);
}

export function schemaText(kind: FileKind): string {
  return `${JSON.stringify(jsonSchema(kind), null, 2)}\n`;
}

/** Writes `schema/<kind>.json` for every kind; a test says when this must be run again. */
export function writeSchemas(folder: string = ownFolder("./schema/")): void {
  for (const kind of FILE_KINDS) writeText(`${folder}/${kind}.json`, schemaText(kind));
}

import { readFileSync } from "node:fs";
import { KhuXanhError } from "../../core/errors.ts";
import type { TlsFiles } from "./mqtt.ts";

/** Reads the PEM files of a client section. @throws {KhuXanhError} CONFIG_UNREADABLE */
export function readTlsFiles(client: {
  readonly ca_file?: string;
  readonly cert_file?: string;
  readonly key_file?: string;
}): TlsFiles {
  return {
    ...(client.ca_file === undefined ? {} : { ca: readPem(client.ca_file) }),
    ...(client.cert_file === undefined ? {} : { cert: readPem(client.cert_file) }),
    ...(client.key_file === undefined ? {} : { key: readPem(client.key_file) }),
  };
}

function readPem(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new KhuXanhError("CONFIG_UNREADABLE", `${file} cannot be read`, {
      hint: "Check the path in the configuration and the rights of the file.",
      context: { file },
      cause,
    });
  }
}

import { readSecretFile } from "./io.ts";
import type { Secret } from "./secret.ts";

/**
 * The password of a client section, read now: the first line of `password_file`, or the value given in the file;
 * undefined if there is none. Never log what it returns.
 * @throws {KhuXanhError} CONFIG_UNREADABLE, SECRET_EXPOSED.
 */
export function readPassword(client: {
  readonly password?: Secret;
  readonly password_file?: string;
}): string | undefined {
  if (client.password !== undefined) return client.password.reveal();
  if (client.password_file === undefined) return undefined;
  return readSecretFile(client.password_file).toString("utf8").split(/\r?\n/, 1)[0];
}

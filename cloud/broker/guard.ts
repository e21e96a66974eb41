import { createSecureContext } from "node:tls";
import type { BrokerUsers } from "../../config/files/users.ts";
import { isGroupReadable, readBytes, readSecretFile, stampOf } from "../../config/io.ts";
import { loadBrokerUsers } from "../../config/load.ts";
import { KhuXanhError } from "../../core/errors.ts";
import type { Cancel, Log, Timers } from "../../core/ports.ts";
import type { Account } from "./access.ts";
import { PasswordChecker } from "./password.ts";

/**
 * What protects the embedded broker: its certificate and its accounts, read from files and read again when they change. A
 * change that does not hold (a key that does not fit its certificate, a broken list) is said, and what was valid goes on.
 */
export interface GuardFiles {
  readonly users_file?: string;
  readonly cert_file?: string;
  readonly key_file?: string;
  readonly ca_file?: string;
}

/** PEM contents for a TLS server; `ca` = clients must show a certificate that it vouches for. */
export interface ServerIdentity {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca: Buffer | null;
}

/** How often the files are looked at. */
const LOOK_MS = 10_000;

export class Guard {
  readonly #files: GuardFiles;
  readonly #checker = new PasswordChecker();
  #users: ReadonlyMap<string, BrokerUsers["users"][number]> | null;
  #identity: ServerIdentity | null;

  /** @throws {KhuXanhError} CONFIG_UNREADABLE, CONFIG_INVALID, SECRET_EXPOSED. */
  constructor(files: GuardFiles, log: Log) {
    this.#files = files;
    this.#users = readUsers(files);
    this.#identity = readIdentity(files);
    for (const file of [files.users_file, files.key_file]) {
      if (file !== undefined && isGroupReadable(file)) log.warn("secret.group-readable", { file });
    }
  }

  get identity(): ServerIdentity | null {
    return this.#identity;
  }

  /** The account of a certificate: named by its common name. With a list of users it must stand there. */
  ofCertificate(commonName: string): Account | null {
    if (this.#users === null) return { name: commonName, role: "gateway" };
    const user = this.#users.get(commonName);
    return user === undefined ? null : { name: user.name, role: user.role };
  }

  /** The account of a user name and password; null if there is none. Takes as long for an unknown name as for a known one. */
  async ofPassword(name: string, password: Buffer): Promise<Account | null> {
    const user = this.#users?.get(name);
    const fits = await this.#checker.fits(password, user?.password ?? NOBODY);
    return user === undefined || user.password === undefined || !fits ? null : { name: user.name, role: user.role };
  }

  /** Whether an account is still what it was when its client came. */
  stillHolds({ name, role }: Account): boolean {
    return this.#users === null || this.#users.get(name)?.role === role;
  }

  watch(timers: Timers, log: Log, changed: () => void): Cancel {
    const files = Object.values(this.#files).filter((file) => file !== undefined);
    let seen = stampOf(files);
    return timers.every(LOOK_MS, () => {
      const now = stampOf(files);
      if (now === seen) return;
      seen = now;
      try {
        const users = readUsers(this.#files);
        this.#identity = readIdentity(this.#files);
        this.#users = users;
      } catch (error) {
        log.error("broker.files-do-not-hold", { why: error instanceof Error ? error.message : String(error) });
        return;
      }
      log.info("broker.files-read-again");
      changed();
    });
  }
}

/** A hash nothing fits: what an unknown name is compared with. */
const NOBODY = `scrypt:15:8:1:${"A".repeat(22)}==:${"A".repeat(43)}=`;

function readUsers({ users_file }: GuardFiles) {
  if (users_file === undefined) return null;
  return new Map(loadBrokerUsers(users_file).users.map((user) => [user.name, user]));
}

function readIdentity({ cert_file, key_file, ca_file }: GuardFiles): ServerIdentity | null {
  if (cert_file === undefined || key_file === undefined) return null;
  const identity = {
    cert: readBytes(cert_file),
    key: readSecretFile(key_file),
    ca: ca_file === undefined ? null : readBytes(ca_file),
  };
  assertFits(identity, cert_file);
  return identity;
}

/** @throws {KhuXanhError} CONFIG_INVALID if these are no PEM files or the key is another certificate's. */
function assertFits({ cert, key, ca }: ServerIdentity, file: string): void {
  try {
    createSecureContext({ cert, key, ...(ca === null ? {} : { ca }) });
  } catch (cause) {
    throw new KhuXanhError("CONFIG_INVALID", `${file}: certificate and key cannot be used: ${reasonOf(cause)}`, {
      hint: "Check that the files are PEM and that the key belongs to the certificate.",
      context: { file },
      cause,
    });
  }
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

import { createSecureContext } from "node:tls";
import { isGroupReadable, readBytes, readSecretFile, stampOf } from "../../config/io.ts";
import { readPassword } from "../../config/password.ts";
import type { Secret } from "../../config/secret.ts";
import type { Cancel, Log, Timers } from "../../core/ports.ts";

/** Who we are to a broker and whom we trust: PEM contents and the password, as the files are now. */
export interface Identity {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
  readonly password?: string;
}

export interface IdentitySource {
  /** @throws {KhuXanhError} CONFIG_UNREADABLE, SECRET_EXPOSED. */
  read(): Identity;
  /** Calls once, when the files hold something else than `used` that can be used. */
  watch(used: Identity, onChange: () => void): Cancel;
}

/** The keys of `uplink` and `broker` that say who we are. */
export interface IdentityKeys {
  readonly ca_file?: string;
  readonly cert_file?: string;
  readonly key_file?: string;
  readonly password?: Secret;
  readonly password_file?: string;
}

/** How often the files are looked at while a connection stands. */
const LOOK_MS = 10_000;

/**
 * Reads the files of a client section at every connection, so that renewed certificates and passwords need no restart. What does
 * not hold ends a start; later it fails one connection attempt, is said in the log, and is tried again.
 * @throws {KhuXanhError} CONFIG_UNREADABLE, SECRET_EXPOSED: what would fail at the first connection is said at the start.
 */
export function identityOf(keys: IdentityKeys, timers: Timers, log: Log): IdentitySource {
  const { ca_file, cert_file, key_file, password_file } = keys;
  const files = [ca_file, cert_file, key_file, password_file].filter((file) => file !== undefined);
  const read = (): Identity => {
    const password = readPassword(keys);
    return {
      ...(ca_file === undefined ? {} : { ca: readBytes(ca_file) }),
      ...(cert_file === undefined ? {} : { cert: readBytes(cert_file) }),
      ...(key_file === undefined ? {} : { key: readSecretFile(key_file) }),
      ...(password === undefined ? {} : { password }),
    };
  };
  read();
  for (const file of [key_file, password_file]) {
    if (file !== undefined && isGroupReadable(file)) log.warn("secret.group-readable", { file });
  }
  return {
    read,
    watch(used, onChange) {
      if (files.length === 0) return () => {};
      // Not the stamp of now: the files may have changed between being read and being watched.
      let seen = "";
      const stop = timers.every(LOOK_MS, () => {
        const now = stampOf(files);
        if (now === seen) return;
        seen = now;
        const next = usable(read, log);
        if (next === null || isSame(used, next)) return;
        stop();
        log.info("identity.changed", { files });
        onChange();
      });
      return stop;
    },
  };
}

/** null while the files do not fit together: whoever renews them is not done, and the next look comes soon. */
function usable(read: () => Identity, log: Log): Identity | null {
  try {
    const identity = read();
    const { ca, cert, key } = identity;
    createSecureContext({
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined || key === undefined ? {} : { cert, key }),
    });
    return identity;
  } catch (error) {
    log.warn("identity.not-usable", { why: error instanceof Error ? error.message : String(error) });
    return null;
  }
}

function isSame(one: Identity, other: Identity): boolean {
  const same = (a?: Buffer, b?: Buffer) => (a === undefined ? b === undefined : b !== undefined && a.equals(b));
  return (
    same(one.ca, other.ca) && same(one.cert, other.cert) && same(one.key, other.key) && one.password === other.password
  );
}

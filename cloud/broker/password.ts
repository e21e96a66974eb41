import { createHmac, randomBytes, scrypt, timingSafeEqual } from "node:crypto";

/**
 * Passwords of broker accounts, kept as `scrypt:LOG2N:R:P:SALT:HASH` (salt and hash in base64; RFC 7914). 2^15 × 8 takes 32 MiB
 * and some 80 ms, so that a stolen file is slow to guess from.
 */
const LOG2N = 15;
const R = 8;
const P = 1;
const SALT_BYTES = 16;
const HASH_BYTES = 32;
/** What a file may ask for at most: 256 MiB. */
const LOG2N_MAX = 18;

const STORED = /^scrypt:(\d{1,2}):(\d{1,2}):(\d):([A-Za-z0-9+/=]{16,88}):([A-Za-z0-9+/=]{24,88})$/;

export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const hash = await derive(password, salt, { log2N: LOG2N, r: R, p: P }, HASH_BYTES);
  return ["scrypt", LOG2N, R, P, salt.toString("base64"), hash.toString("base64")].join(":");
}

/** 24 letters and digits, about 142 bits. */
export function newPassword(): string {
  const LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789";
  let text = "";
  while (text.length < 24) {
    for (const byte of randomBytes(32)) {
      // 228 = 4 × 57: what lies above would make the first letters likelier.
      if (byte < 228 && text.length < 24) text += LETTERS[byte % 57];
    }
  }
  return text;
}

/** Compares passwords with stored hashes, two at a time; one that fitted is remembered (not in clear) so that a returning zone is in at once. */
export class PasswordChecker {
  readonly #key = randomBytes(32);
  readonly #fitted = new Map<string, string>();
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  /** false as well for a stored text that is no hash, and when more than {@link WAITING_MAX} logins wait. */
  async fits(password: Buffer, stored: string): Promise<boolean> {
    const mark = createHmac("sha256", this.#key).update(stored).update("\0").update(password).digest("base64");
    if (this.#fitted.get(stored) === mark) return true;
    const parsed = parse(stored);
    if (parsed === null || this.#waiting.length >= WAITING_MAX) return false;
    if (this.#running >= AT_ONCE) await new Promise<void>((go) => this.#waiting.push(go));
    this.#running += 1;
    try {
      const hash = await derive(password, parsed.salt, parsed, parsed.hash.length);
      const isRight = timingSafeEqual(hash, parsed.hash);
      if (isRight) this.#remember(stored, mark);
      return isRight;
    } finally {
      this.#running -= 1;
      this.#waiting.shift()?.();
    }
  }

  #remember(stored: string, mark: string): void {
    if (this.#fitted.size >= FITTED_MAX) this.#fitted.clear();
    this.#fitted.set(stored, mark);
  }
}

const AT_ONCE = 2;
/** Logins that wait for a turn; further ones are refused and come again. */
const WAITING_MAX = 1000;
const FITTED_MAX = 10_000;

function parse(stored: string) {
  const match = STORED.exec(stored);
  if (match === null || Number(match[1]) > LOG2N_MAX || Number(match[1]) < 1) return null;
  return {
    log2N: Number(match[1]),
    r: Number(match[2]),
    p: Number(match[3]),
    salt: Buffer.from(match[4]!, "base64"),
    hash: Buffer.from(match[5]!, "base64"),
  };
}

function derive(
  password: string | Buffer,
  salt: Buffer,
  { log2N, r, p }: { readonly log2N: number; readonly r: number; readonly p: number },
  bytes: number,
): Promise<Buffer> {
  const N = 2 ** log2N;
  return new Promise((resolve, reject) => {
    scrypt(password, salt, bytes, { N, r, p, maxmem: 160 * N * r }, (error, key) =>
      error === null ? resolve(key) : reject(error),
    );
  });
}

/**
 * A secret that was written into the file (usually through `${ENV}`). It shows itself to nobody by accident: JSON, logs
 * and string templates get `(secret)`.
 */
export class Secret {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  reveal(): string {
    return this.#text;
  }

  toJSON(): string {
    return "(secret)";
  }

  toString(): string {
    return "(secret)";
  }
}

import { KhuXanhError } from "../../core/errors.ts";

/**
 * Loads written as a formula: `200e3 + 50e3 * sin(2 * pi * hour / 24)`. A closed language: numbers, the variables and
 * functions below, `+ - * / % ^`, comparisons (1 or 0), brackets. Nothing else can be named, so a formula can do nothing but
 * count, and the same instant gives the same number.
 *
 * Precedence, loosest first: comparison · + − · * / % · unary − · ^ (to the right). `%` keeps the sign of the divisor.
 * Limits   1,000 characters, 64 levels of brackets. A division by zero or a root of a negative number gives no number.
 */
export interface Moment {
  /** Local hours since midnight, 0 … 24. */
  readonly hour: number;
  /** 1 = Monday … 7 = Sunday. */
  readonly weekday: number;
  /** Day of the year, 1 … 366. */
  readonly day: number;
  /** 1 … 12. */
  readonly month: number;
  /** 1 on a holiday of the simulation's calendar, else 0. */
  readonly holiday: number;
  /** Even chance in 0 … 1, drawn anew for each quarter of an hour. */
  readonly noise: number;
}

export const FORMULA_VARIABLES = ["hour", "weekday", "day", "month", "holiday", "noise"] as const;

const CONSTANTS: Readonly<Record<string, number>> = { pi: Math.PI, e: Math.E };

interface Fn {
  readonly takes: readonly [least: number, most: number];
  readonly of: (...args: number[]) => number;
}

const FUNCTIONS: Readonly<Record<string, Fn>> = {
  sin: { takes: [1, 1], of: Math.sin },
  cos: { takes: [1, 1], of: Math.cos },
  exp: { takes: [1, 1], of: Math.exp },
  log: { takes: [1, 1], of: Math.log },
  sqrt: { takes: [1, 1], of: Math.sqrt },
  abs: { takes: [1, 1], of: Math.abs },
  floor: { takes: [1, 1], of: Math.floor },
  ceil: { takes: [1, 1], of: Math.ceil },
  round: { takes: [1, 1], of: Math.round },
  min: { takes: [2, 10], of: Math.min },
  max: { takes: [2, 10], of: Math.max },
  clamp: { takes: [3, 3], of: (x = 0, low = 0, high = 0) => Math.min(high, Math.max(low, x)) },
  between: { takes: [3, 3], of: (x = 0, from = 0, to = 0) => (x >= from && x < to ? 1 : 0) },
  if: { takes: [3, 3], of: (condition = 0, then = 0, otherwise = 0) => (condition !== 0 ? then : otherwise) },
};

export const FORMULA_FUNCTIONS = Object.keys(FUNCTIONS);

export type Formula = (moment: Moment) => number;

const LENGTH_MAX = 1000;
const DEPTH_MAX = 64;

/** @throws {KhuXanhError} CONFIG_INVALID with the column of the first thing that is wrong. */
export function parseFormula(text: string, place: string): Formula {
  if (text.length > LENGTH_MAX) throw wrong(place, text, LENGTH_MAX, `is longer than ${LENGTH_MAX} characters`);
  return new Parser(text, place).formula();
}

type Token =
  | { readonly kind: "number"; readonly value: number; readonly at: number; readonly text: string }
  | { readonly kind: "name" | "sign" | "end"; readonly text: string; readonly at: number };

function tokens(text: string, place: string): readonly Token[] {
  const found: Token[] = [];
  const pattern =
    /\s*(?:(\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)|([A-Za-z_]\w*)|(<=|>=|==|!=|[-+*/%^(),<>]))/y;
  for (let at = 0; at < text.length; ) {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match === null) {
      const blank = /^\s*/.exec(text.slice(at))?.[0].length ?? 0;
      if (at + blank >= text.length) break;
      throw wrong(place, text, at + blank, `"${text[at + blank]}" does not belong in a formula`);
    }
    const [whole, number, name] = match;
    const start = at + whole.length - whole.trimStart().length;
    if (number !== undefined) found.push({ kind: "number", value: Number(number), at: start, text: number });
    else found.push({ kind: name === undefined ? "sign" : "name", text: whole.trimStart(), at: start });
    at += whole.length;
  }
  return [...found, { kind: "end", text: "", at: text.length }];
}

const COMPARISONS: ReadonlyMap<string, (a: number, b: number) => boolean> = new Map([
  ["<", (a, b) => a < b],
  ["<=", (a, b) => a <= b],
  [">", (a, b) => a > b],
  [">=", (a, b) => a >= b],
  ["==", (a, b) => a === b],
  ["!=", (a, b) => a !== b],
]);

class Parser {
  readonly #text: string;
  readonly #place: string;
  readonly #tokens: readonly Token[];
  #next = 0;
  #depth = 0;

  constructor(text: string, place: string) {
    this.#text = text;
    this.#place = place;
    this.#tokens = tokens(text, place);
  }

  formula(): Formula {
    const formula = this.#comparison();
    const rest = this.#peek();
    if (rest.kind !== "end") throw this.#wrong(rest, `"${rest.text}" is not expected here`);
    return formula;
  }

  #comparison(): Formula {
    let left = this.#sum();
    for (let compare = COMPARISONS.get(this.#peek().text); compare !== undefined; ) {
      this.#next++;
      const [a, b, is] = [left, this.#sum(), compare];
      left = (moment) => (is(a(moment), b(moment)) ? 1 : 0);
      compare = COMPARISONS.get(this.#peek().text);
    }
    return left;
  }

  #sum(): Formula {
    let left = this.#product();
    for (;;) {
      const sign = this.#takeSign("+", "-");
      if (sign === null) return left;
      const [a, b] = [left, this.#product()];
      left = sign === "+" ? (moment) => a(moment) + b(moment) : (moment) => a(moment) - b(moment);
    }
  }

  #product(): Formula {
    let left = this.#signed();
    for (;;) {
      const sign = this.#takeSign("*", "/", "%");
      if (sign === null) return left;
      const [a, b] = [left, this.#signed()];
      if (sign === "*") left = (moment) => a(moment) * b(moment);
      else if (sign === "/") left = (moment) => a(moment) / b(moment);
      else left = (moment) => modulo(a(moment), b(moment));
    }
  }

  #signed(): Formula {
    const sign = this.#takeSign("-", "+");
    if (sign === null) return this.#power();
    const of = this.#nested(() => this.#signed());
    return sign === "+" ? of : (moment) => -of(moment);
  }

  #power(): Formula {
    const base = this.#atom();
    if (this.#takeSign("^") === null) return base;
    const exponent = this.#nested(() => this.#signed());
    return (moment) => base(moment) ** exponent(moment);
  }

  #atom(): Formula {
    const token = this.#peek();
    this.#next++;
    if (token.kind === "number") return () => token.value;
    if (token.kind === "name") return this.#named(token);
    if (token.text === "(") {
      const inner = this.#nested(() => this.#comparison());
      this.#expect(")");
      return inner;
    }
    throw this.#wrong(
      token,
      token.kind === "end" ? "something is missing at the end" : `"${token.text}" is not expected here`,
    );
  }

  #named(token: Token): Formula {
    const name = token.text;
    if (Object.hasOwn(FUNCTIONS, name)) return this.#call(token, FUNCTIONS[name]!);
    const variable = FORMULA_VARIABLES.find((known) => known === name);
    if (variable !== undefined) return (moment) => moment[variable];
    const constant = Object.hasOwn(CONSTANTS, name) ? CONSTANTS[name] : undefined;
    if (constant !== undefined) return () => constant;
    const known = [...FORMULA_VARIABLES, ...Object.keys(CONSTANTS), ...FORMULA_FUNCTIONS];
    throw this.#wrong(token, `"${name}" is not known (allowed: ${known.join(", ")})`);
  }

  #call(token: Token, { takes: [least, most], of }: Fn): Formula {
    this.#expect("(");
    const args = this.#nested(() => {
      const list = [this.#comparison()];
      while (this.#takeSign(",") !== null) list.push(this.#comparison());
      return list;
    });
    this.#expect(")");
    if (args.length < least || args.length > most) {
      const wanted = least === most ? `${least}` : `${least} to ${most}`;
      throw this.#wrong(token, `${token.text} takes ${wanted} values, not ${args.length}`);
    }
    return (moment) => of(...args.map((arg) => arg(moment)));
  }

  #nested<T>(parse: () => T): T {
    if (++this.#depth > DEPTH_MAX) throw this.#wrong(this.#peek(), `is nested deeper than ${DEPTH_MAX}`);
    const parsed = parse();
    this.#depth--;
    return parsed;
  }

  #expect(sign: string): void {
    const token = this.#peek();
    if (this.#takeSign(sign) === null) {
      throw this.#wrong(
        token,
        `"${sign}" is expected${token.kind === "end" ? " at the end" : `, not "${token.text}"`}`,
      );
    }
  }

  #takeSign(...signs: readonly string[]): string | null {
    const { kind, text } = this.#peek();
    if (kind !== "sign" || !signs.includes(text)) return null;
    this.#next++;
    return text;
  }

  #peek(): Token {
    return this.#tokens[this.#next] ?? { kind: "end", text: "", at: this.#text.length };
  }

  #wrong(token: Token, what: string): KhuXanhError {
    return wrong(this.#place, this.#text, token.at, what);
  }
}

function modulo(a: number, b: number): number {
  return a - b * Math.floor(a / b);
}

function wrong(place: string, text: string, at: number, what: string): KhuXanhError {
  return new KhuXanhError("CONFIG_INVALID", `${place}: column ${at + 1} of the formula: ${what}`, {
    hint: `A formula is like 200e3 + 50e3 * sin(2 * pi * hour / 24); variables are ${FORMULA_VARIABLES.join(", ")}.`,
    context: { place, column: at + 1, formula: text.slice(0, 200) },
  });
}

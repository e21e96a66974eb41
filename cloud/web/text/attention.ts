import type { Attention } from "../../api/schemas.ts";
import { durationText, numberText } from "../format.ts";
import type { Lang } from "../units.ts";
import type { Texts } from "./vi.ts";

/** What an attention item says to a person. Codes the page does not know yet are shown with their code, never dropped. */
export interface AttentionWords {
  readonly title: string;
  readonly detail: string;
}

export interface AttentionNames {
  /** Factory, or gateway where no factory is named. */
  readonly place: string | null;
  readonly meter: string | null;
}

export function attentionWords(item: Attention, names: AttentionNames, t: Texts, lang: Lang): AttentionWords {
  const place = names.place ?? item.gateway ?? t.attention.siteless;
  const meter = names.meter ?? item.meter?.split("/").at(-1) ?? "";
  const param = (...keys: string[]): string => {
    const value = keys.map((key) => item.params[key]).find((found) => found !== undefined);
    return typeof value === "number" ? numberText(value, Number.isInteger(value) ? 0 : 1, lang) : (value ?? "");
  };
  const hours = (): string =>
    typeof item.params.hours === "number" ? durationText(item.params.hours * 3_600_000, lang) : "";
  const offset = (): string => durationText(Math.abs(Number(item.params.offset_ms ?? 0)), lang);
  const what = param(lang === "vi" ? "name_vi" : "name_en", "carrier", "factor") || place;
  switch (item.code) {
    case "gateway-offline":
    case "dead-letters":
    case "batch-quarantined":
      return t.attention[item.code](place);
    case "gateway-unassigned":
      return t.attention[item.code](item.gateway ?? place);
    case "meter-silent":
    case "books-disagree":
    case "bad-values":
      return t.attention[item.code](place, meter);
    case "provisional-factor":
    case "no-factor":
      return t.attention[item.code](what);
    case "stored-exceeds-read":
    case "counts-apart":
      return t.attention[item.code](place, meter);
    case "gateway-clock":
      return t.attention[item.code](place, offset(), Number(item.params.offset_ms) > 0);
    case "missing-data":
      return t.attention["missing-data"](place, meter, hours());
    case "gateway-sessions":
      return t.attention[item.code](place, param("sessions"));
    case "messages-given-up":
      return t.attention[item.code](place, param("messages"));
    case "backlog":
      return t.attention.backlog(place, param("pending"));
    default:
      return t.attention.other(place, item.code);
  }
}

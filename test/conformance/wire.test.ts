import { describe, test } from "vitest";
import { WIRE_CHECKS } from "./wireChecks.ts";

describe("topics, ids and payloads", () => {
  for (const [ids, prove] of WIRE_CHECKS) for (const id of ids) test(id, () => prove(null));
});

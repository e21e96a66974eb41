import { beforeAll, describe, test } from "vitest";
import { EDGE_CHECKS } from "./edgeChecks.ts";
import { type EdgeCourse, edgeCourse } from "./edgeStage.ts";

describe("an edge node", () => {
  let course: EdgeCourse;
  beforeAll(async () => {
    course = await edgeCourse();
  });

  for (const [ids, prove] of EDGE_CHECKS) for (const id of ids) test(id, () => prove(course));
});

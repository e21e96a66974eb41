/**
 * `npm run kills -- [--n 200] [--seed 1] [--calm 5000]`: the long form of `kill.test.ts`. Prints what happened and what the books hold as JSON;
 * exit code 1 if anything is wrong.
 */
import { parseArgs } from "node:util";
import { runKills } from "./kills.ts";

const { values } = parseArgs({
  options: {
    n: { type: "string", default: "200" },
    seed: { type: "string", default: "1" },
    calm: { type: "string", default: "5000" },
  },
});
const report = await runKills({
  kills: Number(values.n),
  seed: Number(values.seed),
  calm_ms: Number(values.calm),
  say: (line) => process.stderr.write(`${line}\n`),
});
process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
process.exitCode = report.wrong.length === 0 ? 0 : 1;

/** The long form of `kill.test.ts`. Exit code 1 if anything is wrong. */
import { parseArgs } from "node:util";
import { runKills } from "./kills.ts";

const HELP = `npm run -s kills -- [--n 200] [--seed 1] [--calm 5000]

  --n N       SIGKILLs of agent and collector together (default 200, some 12 minutes)
  --seed N    what happens follows from it; the moments are real time (default 1)
  --calm MS   longest time between two events (default 5000)

Simulator, agent, collector and Mosquitto as processes of their own: killed, cut off, their disks full (as root), the broker
stopped. Then the faults end and everything must arrive. Prints what happened and what the books hold as JSON.
`;

const options = optionsOf(process.argv.slice(2));
if (options === null) process.exitCode = 2;
else if (options !== "help") {
  const report = await runKills({ ...options, say: (line) => process.stderr.write(`${line}\n`) });
  process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
  process.exitCode = report.wrong.length === 0 ? 0 : 1;
}

function optionsOf(args: string[]): { kills: number; seed: number; calm_ms: number } | "help" | null {
  try {
    const { values } = parseArgs({
      args,
      options: {
        n: { type: "string", default: "200" },
        seed: { type: "string", default: "1" },
        calm: { type: "string", default: "5000" },
        help: { type: "boolean" },
      },
    });
    if (values.help === true) {
      process.stdout.write(HELP);
      return "help";
    }
    return { kills: whole("n", values.n), seed: whole("seed", values.seed), calm_ms: whole("calm", values.calm) };
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${HELP}`);
    return null;
  }
}

function whole(name: string, text: string): number {
  if (!/^\d{1,10}$/.test(text)) throw new RangeError(`--${name} is ${text}, not a whole number`);
  return Number(text);
}

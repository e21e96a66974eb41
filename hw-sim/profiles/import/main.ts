/** `node hw-sim/profiles/import/main.ts SOURCE.csv.gz` writes `hw-sim/profiles/steel.csv`. */
import { readFileSync, writeFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { steelProfile } from "./steelProfile.ts";

const source = process.argv[2];
if (source === undefined) {
  process.stderr.write("usage: node hw-sim/profiles/import/main.ts steel_2018_jan_sep.csv.gz\n");
  process.exit(2);
}
const target = new URL("../steel.csv", import.meta.url);
writeFileSync(target, steelProfile(gunzipSync(readFileSync(source)).toString("utf8")));

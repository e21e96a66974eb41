import { join } from "node:path";
import { parseInstant } from "../../cloud/api/time.ts";
import { openSqliteStore } from "../../cloud/store/sqlite.ts";
import { loadCollectorConfig } from "../../config/load.ts";
import { nearest } from "../../config/nearest.ts";
import { KhuXanhError } from "../../core/errors.ts";
import { type Arguments, type Command, noMoreThan, required, usage } from "../command.ts";
import { ledgerJson, ledgerText, siteLedger } from "../ledger/report.ts";

const command: Command = {
  summary: "the books of a site: what was expected, what came, what is missing and why",
  help: `
khuxanh ledger --config FILE --site ID --from TIME --to TIME [--all] [--json]

  --config FILE   collector.yaml; its collector may be running meanwhile
  --site ID       a site of that file
  --from, --to    a local day such as 2026-11-01 (the zone's midnight), or ISO 8601 with offset; to is not included
  --all           every interval a line; without it only what is not whole, alike neighbours in one line
  --json          everything, one document

For every meter's main counter and every interval: polls expected and read, samples the gateway journaled, received and stored
here; the energy, the emissions with their factors; and for what is not whole why (meter-silent, bus-overload, gateway-down,
clock, shed, uplink, meter-changed, unknown) and whether the energy across it is known all the same.`,
  options: {
    config: { type: "string" },
    site: { type: "string" },
    from: { type: "string" },
    to: { type: "string" },
    all: { type: "boolean" },
    json: { type: "boolean" },
  },
  async run(args) {
    noMoreThan(args, 0);
    const config = loadCollectorConfig(required(args, "config"));
    const { zone, sites, data_dir } = config;
    const siteId = required(args, "site");
    const site = sites.find(({ id }) => id === siteId);
    if (site === undefined) {
      const ids = sites.map(({ id }) => id);
      const near = nearest(siteId, ids);
      throw usage(
        `there is no site "${siteId}" in ${required(args, "config")}`,
        near === undefined ? `Sites: ${ids.join(", ")}.` : `Did you mean ${near}?`,
      );
    }
    const period = { from_ms: instant(args, "from", zone.time_zone), to_ms: instant(args, "to", zone.time_zone) };
    if (period.from_ms >= period.to_ms)
      throw usage("--from is not before --to", "Give a period that ends after it begins.");
    if (config.store.kind !== "sqlite") {
      throw new KhuXanhError("CONFIG_INVALID", `store.kind: ${config.store.kind} is not available in this version`, {
        hint: "Use store: {kind: sqlite}.",
      });
    }
    const store = openSqliteStore({ path: join(data_dir, "zone.sqlite"), access: "read" });
    try {
      const ledger = siteLedger(store, zone, sites, site, period, Date.now());
      process.stdout.write(
        args.values.json === true
          ? `${JSON.stringify(ledgerJson(ledger), null, 1)}\n`
          : ledgerText(ledger, args.values.all === true),
      );
    } finally {
      store.close();
    }
    return 0;
  },
};

function instant(args: Arguments, name: "from" | "to", timeZone: string): number {
  const text = required(args, name);
  const at_ms = parseInstant(text, timeZone);
  if (at_ms !== null) return at_ms;
  throw usage(
    `--${name} ${JSON.stringify(text.slice(0, 40))} is no time`,
    "Write 2026-11-01 (the zone's midnight) or ISO 8601 with offset, e.g. 2026-11-01T06:00:00+07:00.",
  );
}

export default command;

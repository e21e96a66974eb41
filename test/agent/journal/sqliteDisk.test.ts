import { sqliteDisk } from "../../../agent/journal/sqliteDisk.ts";
import { journalDiskContract } from "../../contract/journalDisk.ts";
import { tempDir } from "./fixture.ts";

journalDiskContract("node:sqlite", () => {
  const dir = tempDir();
  return { disk: () => sqliteDisk(dir) };
});

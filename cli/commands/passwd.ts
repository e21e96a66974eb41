import { chmodSync, existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { stringify } from "yaml";
import { hashPassword, newPassword } from "../../cloud/broker/password.ts";
import type { BrokerUser } from "../../config/files/users.ts";
import { loadBrokerUsers } from "../../config/load.ts";
import { parseTopicName } from "../../config/notation/names.ts";
import { type Command, optional, usage } from "../command.ts";

/** A password that somebody brings along; ours has 24 characters. */
const LENGTH_MIN = 12;
const LENGTH_MAX = 1024;

const command: Command = {
  summary: "accounts of the embedded broker: add, renew or remove one",
  help: `
khuxanh passwd FILE NAME [--role gateway|reader] [--stdin] [--remove]

  FILE       the users_file of collector.yaml; made if it does not exist, readable for its owner only
  NAME       user name; of a gateway its id (\`gateway\` in its agent.yaml)
  --role     gateway (default) speaks under its own name only; reader hears everything and says nothing
  --stdin    takes the password from the first line of standard input instead of making one (at least ${LENGTH_MIN} characters)
  --remove   takes the account out

Makes a password, writes its scrypt hash into FILE and prints the password once, alone on a line, for the gateway's
password_file. A running collector reads the file again within ten seconds; connections of removed accounts are closed.`,
  options: { role: { type: "string" }, stdin: { type: "boolean" }, remove: { type: "boolean" } },
  async run(args) {
    const [file, name, ...more] = args.positionals;
    if (file === undefined || name === undefined || more.length > 0) {
      throw usage("which file and which name?", "khuxanh passwd FILE NAME");
    }
    const named = parseTopicName(name);
    if (!named.ok) throw usage(`NAME ${named.problem}`);
    const role = roleOf(optional(args, "role"));
    const users = existsSync(file) ? loadBrokerUsers(file).users : [];
    const known = users.find((user) => user.name === name);
    if (args.values.remove === true) {
      if (known === undefined) throw usage(`there is no user "${name}" in ${file}`, `It has: ${namesOf(users)}.`);
      write(
        file,
        users.filter((user) => user !== known),
      );
      return 0;
    }
    const password = args.values.stdin === true ? given() : newPassword();
    const changed: BrokerUser = {
      name,
      role: role ?? known?.role ?? "gateway",
      password: await hashPassword(password),
    };
    write(file, known === undefined ? [...users, changed] : users.map((user) => (user === known ? changed : user)));
    if (args.values.stdin !== true) process.stdout.write(`${password}\n`);
    return 0;
  },
};

function roleOf(written: string | undefined): BrokerUser["role"] | undefined {
  if (written === undefined || written === "gateway" || written === "reader") return written;
  throw usage(`--role is ${written} (allowed: gateway, reader)`);
}

function namesOf(users: readonly BrokerUser[]): string {
  return users.length === 0 ? "nobody" : users.map(({ name }) => name).join(", ");
}

function given(): string {
  const password = readFileSync(0, "utf8").split(/\r?\n/, 1)[0] ?? "";
  if (password.length >= LENGTH_MIN && password.length <= LENGTH_MAX) return password;
  throw usage(`the password has ${password.length} characters (allowed: ${LENGTH_MIN} to ${LENGTH_MAX})`);
}

/** Whole or not at all: written beside, then put in its place. */
function write(file: string, users: readonly BrokerUser[]): void {
  const text = `# Accounts of the embedded broker; change it with khuxanh passwd.\n${stringify({ users })}`;
  const beside = `${file}.new`;
  writeFileSync(beside, text, { mode: 0o600 });
  chmodSync(beside, 0o600);
  renameSync(beside, file);
}

export default command;

import { z } from "zod";
import type { Finding } from "../explain.ts";
import { section } from "../fields.ts";
import type { FileSpec } from "../parse.ts";
import { duplicates, field, list, type Named, textOf } from "../rules.ts";
import { topicName } from "./shared.ts";

/** Accounts of the embedded broker (`broker.users_file` of collector.yaml). `khuxanh passwd` writes it. */
export const usersSchema = section({
  users: z
    .array(
      section({
        name: topicName("User name; of a gateway its id"),
        role: z
          .enum(["gateway", "reader"])
          .prefault("gateway")
          .describe("gateway: speaks under its own name only; reader: hears everything, says nothing"),
        password: z
          .string()
          .regex(/^scrypt:\d{1,2}:\d{1,2}:\d:[A-Za-z0-9+/=]{16,88}:[A-Za-z0-9+/=]{24,88}$/, {
            error: "is no password hash (make one with `khuxanh passwd FILE NAME`)",
          })
          .describe("Hash of the password, as `khuxanh passwd` makes it")
          .exactOptional(),
      }).readonly(),
    )
    .max(10_000)
    .readonly()
    .describe("Who may connect"),
}).readonly();

export type BrokerUsers = z.output<typeof usersSchema>;
export type BrokerUser = BrokerUsers["users"][number];

export const usersSpec: FileSpec<BrokerUsers> = { schema: usersSchema, rules: [namesOnce] };

function namesOnce(document: unknown): readonly Finding[] {
  const users = list(field(document, "users")).flatMap((user, u): Named[] => {
    const name = textOf(field(user, "name"));
    return name === undefined ? [] : [{ name, path: ["users", u, "name"] }];
  });
  return duplicates(users, (name) => `user "${name}"`);
}

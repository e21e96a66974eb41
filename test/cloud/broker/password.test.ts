import { expect, test } from "vitest";
import { hashPassword, newPassword, PasswordChecker } from "../../../cloud/broker/password.ts";

test("a password fits its own hash, also the second time, and no other does", async () => {
  const checker = new PasswordChecker();
  const stored = await hashPassword("correct-horse");
  expect(stored).toMatch(/^scrypt:15:8:1:/);
  expect(stored).not.toContain("horse");
  expect(await checker.fits(Buffer.from("correct-horse"), stored)).toBe(true);
  expect(await checker.fits(Buffer.from("correct-horse"), stored)).toBe(true);
  expect(await checker.fits(Buffer.from("correct-hors"), stored)).toBe(false);
  expect(await checker.fits(Buffer.from(""), stored)).toBe(false);
});

test("the same password is never stored the same way twice, and two made ones differ", async () => {
  expect(await hashPassword("correct-horse")).not.toBe(await hashPassword("correct-horse"));
  expect(newPassword()).toMatch(/^[A-Za-z2-9]{24}$/);
  expect(newPassword()).not.toBe(newPassword());
});

test("what is no hash, or asks for gigabytes, fits nothing", async () => {
  const checker = new PasswordChecker();
  const stored = await hashPassword("correct-horse");
  for (const wrong of [
    "correct-horse",
    "",
    stored.replace("scrypt:15", "scrypt:30"),
    stored.replace("scrypt", "plain"),
  ]) {
    expect(await checker.fits(Buffer.from("correct-horse"), wrong)).toBe(false);
  }
});

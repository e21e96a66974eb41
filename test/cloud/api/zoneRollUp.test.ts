import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Emissions, Trace } from "../../../cloud/api/schemas.ts";
import { type TestZone, testZone, withApi } from "./zone.ts";

const DAY = "from=2026-11-01&to=2026-11-02";
let zone: TestZone;
beforeEach(() => {
  zone = testZone();
});
afterEach(() => zone.dispose());

const emissions = (query: string) =>
  withApi(zone, async (get) => {
    const answer = await get(`/api/v1/emissions?${DAY}&${query}`);
    expect(answer.status, answer.text).toBe(200);
    return Emissions.parse(answer.body);
  });
const kg = (answer: Emissions, key: string) => answer.groups.find((group) => group.key === key)?.total.value;

test("what a neighbour sold counts once: the zone is the sites less what is eliminated", async () => {
  zone.describe("incomer", { supplier: "electronics" });
  zone.book("incomer", 0, [1_000_000n]);
  zone.book("grid", 0, [2_000_000n]);
  zone.book("boiler", 0, [1000n]);
  const [bySite, byScope] = [await emissions("by=site"), await emissions("by=scope")];
  expect(kg(bySite, "steel")).toBe(659.2);
  expect(bySite.roll_up).toMatchObject({
    eliminated_kg: 659.2,
    scope2_kg: 1318.4,
    uncovered: [],
    internal: [{ meter: "gw-01/incomer", site: "steel", supplier: "electronics", kg: 659.2, eliminated: true }],
  });
  expect(bySite.roll_up!.naive_kg! - bySite.roll_up!.eliminated_kg!).toBeCloseTo(bySite.total.value!, 9);
  expect(byScope.total.value).toBe(bySite.total.value);
  expect(kg(byScope, "scope2")).toBe(1318.4);
  const steel = await emissions("by=scope&site=steel");
  expect([steel.total.value, steel.roll_up]).toEqual([659.2, null]);
  await withApi(zone, async (get) => {
    const trace = Trace.parse((await get(`/api/v1/emissions/${byScope.total.id}/trace`)).body);
    expect(trace.value_kg).toBe(byScope.total.value);
    const own = bySite.groups.find(({ key }) => key === "steel")!;
    expect(Trace.parse((await get(`/api/v1/emissions/${own.id}/trace`)).body).value_kg).toBe(659.2);
  });
});

test.each([
  ["electronics", "seller-without-data"],
  ["next-door", "no-such-site"],
])("a seller %s is no reason to leave anything out: %s", async (supplier, kept_because) => {
  zone.describe("incomer", { supplier });
  zone.book("incomer", 0, [1_000_000n]);
  const answer = await emissions("by=site");
  expect(answer.total.value).toBe(659.2);
  expect(answer.roll_up).toMatchObject({
    eliminated_kg: 0,
    uncovered: ["electronics"],
    internal: [{ eliminated: false, kept_because }],
  });
});

test("a zone in which nothing is sold eliminates nothing", async () => {
  zone.book("grid", 0, [2_000_000n]);
  const answer = await emissions("by=site");
  expect(answer.roll_up).toMatchObject({ naive_kg: 1318.4, eliminated_kg: 0, internal: [], uncovered: ["steel"] });
  expect(answer.total.value).toBe(1318.4);
});

test("without data there is no number, and every site is uncovered", async () => {
  const { roll_up } = await emissions("by=site");
  expect(roll_up).toMatchObject({ naive_kg: null, eliminated_kg: null, uncovered: ["steel", "electronics"] });
});

test("law: sites − eliminated = zone, whoever sells to whom", async () => {
  const Wh = fc.integer({ min: 1, max: 5_000_000 });
  const seller = fc.constantFrom(null, "steel", "electronics", "nobody");
  await fc.assert(
    fc.asyncProperty(Wh, Wh, Wh, seller, seller, async (a, b, gas, sellsA, sellsB) => {
      zone.dispose();
      zone = testZone();
      zone.describe("incomer", { supplier: sellsA });
      zone.describe("grid", { supplier: sellsB });
      zone.book("incomer", 0, [BigInt(a)]);
      zone.book("grid", 0, [BigInt(b)]);
      zone.book("boiler", 0, [BigInt(gas)]);
      for (const basis of ["location", "market"]) {
        const answer = await emissions(`by=site&basis=${basis}`);
        const sites = answer.groups.reduce((sum, { total }) => sum + (total.value ?? 0), 0);
        const { naive_kg, eliminated_kg, scope1_kg, scope2_kg } = answer.roll_up!;
        expect(naive_kg!).toBeCloseTo(sites, 6);
        expect(sites - eliminated_kg!).toBeCloseTo(answer.total.value ?? 0, 6);
        expect(scope1_kg! + scope2_kg!).toBeCloseTo(answer.total.value ?? 0, 6);
      }
    }),
    { numRuns: 20 },
  );
});

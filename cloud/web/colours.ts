/** Which token of tokens.css a carrier, scope or site is drawn with: always the same one, everywhere. */
const CARRIER_TOKENS: Readonly<Record<string, string>> = {
  electricity: "c-electricity",
  solar: "c-solar",
  natural_gas: "c-gas",
  water: "c-water",
  purchased_steam: "c-steam",
  coal: "c-coal",
  biomass: "c-biomass",
  diesel: "c-liquid",
};

const KNOWN = /^(c-(electricity|solar|gas|liquid|coal|biomass|steam|water)|scope-[123]|biogenic)$/;

/** From the key of a group, or the `colour` the API gives with it ("gas", "c-gas", "--c-gas" and "scope-1" all occur). */
export function tokenOf(key: string, colour: string | null): string {
  const scope = /^scope[-_]?([123])$/.exec(key);
  if (scope !== null) return `scope-${scope[1]}`;
  const carrier = CARRIER_TOKENS[key];
  if (carrier !== undefined) return carrier;
  const bare = (colour ?? "").replace(/^(var\()?--/, "").replace(/\)$/, "");
  if (KNOWN.test(bare)) return bare;
  return KNOWN.test(`c-${bare}`) ? `c-${bare}` : "scope-3";
}

import type { Bus, BusReply } from "../../core/ports.ts";

type Lasting = Extract<BusReply, { readonly kind: "words" | "exception" }>;

/**
 * A bus that asks nothing twice: a read whose words lie within an earlier read, or that was refused before, is answered from
 * memory. For one pass over one moment only. Lost replies are not remembered.
 */
export function remembering(bus: Bus): Bus {
  const words = new Map<string, number>();
  const refusals = new Map<string, Lasting>();
  return {
    async read(request) {
      const { unit, fc, address, count } = request;
      const place = (offset: number) => `${unit}/${fc}/${address + offset}`;
      const known = Array.from({ length: count }, (_, i) => words.get(place(i)));
      if (known.every((word) => word !== undefined))
        return { kind: "words", words: Uint16Array.from(known as number[]) };
      const refused = refusals.get(`${place(0)}/${count}`);
      if (refused !== undefined) return refused;

      const reply = await bus.read(request);
      if (reply.kind === "words") for (const [i, word] of reply.words.entries()) words.set(place(i), word);
      else if (reply.kind === "exception") refusals.set(`${place(0)}/${count}`, reply);
      return reply;
    },
    close: () => bus.close(),
  };
}

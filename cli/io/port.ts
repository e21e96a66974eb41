import { createServer } from "node:net";
import { KhuXanhError } from "../../core/errors.ts";

/**
 * Listens for a moment, so that a port that is taken is said before anything else is done. Port 0 always is free.
 * @throws {KhuXanhError} PORT_TAKEN
 */
export async function assertPortFree(host: string, port: number): Promise<void> {
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ host, port, exclusive: true }, resolve);
    });
  } catch (cause) {
    throw new KhuXanhError("PORT_TAKEN", `${host}:${port} cannot be listened on`, {
      hint: "Stop the program that uses this port, or choose another with --port.",
      context: { host, port },
      cause,
    });
  }
  await new Promise((resolve) => server.close(resolve));
}

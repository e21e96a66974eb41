/**
 * How Node runs worlds, here and in `npm run sim` (package.json): a young generation of 128 MiB a half, for a virtual day makes
 * garbage like a real one, in seconds, and in V8's usual small one much of it would be copied before it is dead; and no threads
 * beside its own, for a world is one sequence of events, and cores are better used by other worlds.
 */
export const NODE_FLAGS: readonly string[] = [
  "--min-semi-space-size=128",
  "--max-semi-space-size=128",
  "--single-threaded",
];

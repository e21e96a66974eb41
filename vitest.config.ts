import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    environment: "node",
    include: ["test/**/*.test.ts", "test/**/*.test.tsx"],
    // Real sockets and real disks on two cores: a file of its own process, two at a time, and patience instead of flakes.
    pool: "forks",
    isolate: true,
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 30_000,
    slowTestThreshold: 5_000,
    reporters: ["minimal"],
    // Hints how to run faster are no news of a test run.
    experimental: { diagnostics: false },
  },
});

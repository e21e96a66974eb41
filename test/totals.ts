import type { Reporter, SerializedError, TestModule } from "vitest/node";

/** What `npm test` counts. */
export interface Totals {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** A vitest reporter that tells the process which started vitest how many tests passed, failed and were skipped. */
export default class TotalsReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): void {
    const states = modules.flatMap((module) => [...module.children.allTests()].map((test) => test.result().state));
    const count = (state: string): number => states.filter((one) => one === state).length;
    // A file that does not load, a hook that fails and an error nobody caught are failures without a test of their own.
    const errors = modules.filter((module) => !module.ok() && !hasFailedTest(module)).length + unhandledErrors.length;
    const failed = count("failed") + count("pending") + errors;
    process.send?.({ passed: count("passed"), failed, skipped: count("skipped") } satisfies Totals);
  }
}

function hasFailedTest(module: TestModule): boolean {
  return [...module.children.allTests("failed")].length > 0;
}

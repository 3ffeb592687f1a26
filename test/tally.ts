import type { Reporter, TestModule } from 'vitest/node'

/** Closes a test run with one line that a person and a script can both read: `N passed, N failed, N skipped`. */
export default class Tally implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const count = { passed: 0, failed: 0, skipped: 0, pending: 0 }
    for (const module of modules) {
      for (const test of module.children.allTests()) count[test.result().state] += 1
      for (const suite of [module, ...module.children.allSuites()]) count.failed += suite.errors().length
    }
    const failed = count.failed + count.pending + unhandledErrors.length
    process.stdout.write(`\n${count.passed} passed, ${failed} failed, ${count.skipped} skipped\n`)
  }
}

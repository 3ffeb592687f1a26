import { defineConfig } from 'vitest/config'

/** One process per test file, as many as there are cores; a scenario may take minutes, anything else seconds. */
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    testTimeout: 120_000,
    hookTimeout: 30_000,
    teardownTimeout: 10_000,
    restoreMocks: true,
    unstubEnvs: true,
    reporters: ['default', './test/tally.ts'],
  },
})

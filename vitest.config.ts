import { defineConfig } from 'vitest/config'

/** Scenarios that are about one machine: its disk, its files. */
const ONE_MACHINE_ONLY = ['disk', 'ugly-place', 'kill'].map((name) => `test/scenario/${name}.test.ts`)

/** Scenarios that take a fleet. */
const FLEET_ONLY = ['fleet*', 'chaos', 'rolling-upgrade'].map((name) => `test/scenario/${name}.test.ts`)

/**
 * One process per test file, three at a time: scenarios wait more than they work. A scenario may take minutes, anything else seconds. Scenarios run twice: on one machine's
 * files, and on PostgreSQL.
 */
export default defineConfig({
  test: {
    projects: [
      { extends: true, test: { name: 'rooms', include: ['test/**/*.test.ts'], exclude: ['test/scenario/**'] } },
      {
        extends: true,
        test: { name: 'one machine', include: ['test/scenario/**/*.test.ts'], exclude: FLEET_ONLY },
      },
      {
        extends: true,
        test: {
          name: 'postgres',
          include: ['test/scenario/**/*.test.ts'],
          exclude: ONE_MACHINE_ONLY,
          env: { SLUICE_TEST_BACK_END: 'postgres' },
          setupFiles: ['test/scenario/needs-postgres.ts'],
        },
      },
    ],
    pool: 'forks',
    maxWorkers: 3,
    globalSetup: ['test/postgres/global-setup.ts'],
    testTimeout: 120_000,
    hookTimeout: 30_000,
    teardownTimeout: 10_000,
    restoreMocks: true,
    unstubEnvs: true,
    reporters: ['default', './test/tally.ts'],
  },
})

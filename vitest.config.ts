import { defineConfig } from 'vitest/config'

const scenarios = (...names: string[]) => names.map((name) => `test/scenario/${name}.test.ts`)

/** Scenarios that are about one machine: its disk, its files, its terminal. */
const ONE_MACHINE_ONLY = scenarios('disk', 'ugly-place', 'kill', 'two-processes', 'signals', 'standing')

/** Scenarios in which it does not matter where the store is: what stores must do is in their conformance suite. */
const ANY_STORE = scenarios(
  'inputs',
  'ugly-input',
  'answers',
  'prompt-cache',
  'results',
  'storm',
  'plan',
  'cost',
  'flex',
  'batch-lane',
  'batch-queue',
  'batch-deadline',
  'notifications',
  'job-key',
  'retry',
  'outage',
  'pause',
  'serve',
)

/** Scenarios that take a fleet, or that a fleet makes harder. */
const FLEET_ONLY = scenarios(
  'fleet*',
  'chaos',
  'rolling-upgrade',
  'workers',
  'reuse',
  'object-storage',
  'budget',
  'many-jobs',
)

/**
 * One process per test file, three at a time: scenarios wait more than they work. A scenario may take minutes, anything else seconds. Scenarios run on one machine's
 * files and on PostgreSQL, where that may make a difference.
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
          exclude: [...ONE_MACHINE_ONLY, ...ANY_STORE],
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

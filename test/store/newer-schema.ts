import { MIGRATIONS, type StoreMigration } from '../../src/store/migrations/index.ts'

/**
 * The schema of a sluice that is a few steps ahead of this one; beside each step code of that level can work. The steps change tables that everybody
 * writes.
 */
export function newerSchema(...oldestLevels: readonly number[]): readonly StoreMigration[] {
  const steps = oldestLevels.map(
    (oldestLevel, n): StoreMigration => ({
      name: `999${n}_newer`,
      oldestLevel,
      make: () => ({
        async up(db) {
          await db.schema.alterTable('chunks').addColumn(`later_${n}`, 'integer').execute()
          await db.schema.alterTable('jobs').addColumn(`later_${n}`, 'integer').execute()
        },
      }),
    }),
  )
  return [...MIGRATIONS, ...steps]
}

import { MIGRATIONS, type StoreMigration } from '../../src/store/migrations/index.ts'
import { newerSchema } from '../store/newer-schema.ts'

/**
 * Makes of a sluice one that is some steps ahead, when it is loaded before everything else (`node --import`). `NEWER_STEPS` says for each step the
 * lowest level of code that can work beside it.
 */
const steps = (process.env.NEWER_STEPS ?? '').split(',').filter((step) => step !== '')
;(MIGRATIONS as StoreMigration[]).push(...newerSchema(...steps.map(Number)).slice(MIGRATIONS.length))

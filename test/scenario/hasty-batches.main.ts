import { registerHooks } from 'node:module'
import type { BatcherDeps, BatchTimes } from '../../src/batch/batch-work.ts'
import { type Batcher, createBatcher as createPatient } from '../../src/batch/batcher.ts'

/**
 * Makes of a sluice one whose batcher waits as `HASTY_BATCHES` says (`BatchTimes` as JSON, the others stay), when it is loaded before everything else
 * (`node --import`). What it waits for takes as much less, so that what follows from the times holds as with the real ones: nothing in the store is
 * touched, and no clock is wrong.
 */
const times: Partial<BatchTimes> = JSON.parse(process.env.HASTY_BATCHES ?? '{}')

const patient = import.meta.resolve('../../src/batch/batcher.ts')

/** Stands in the place of the batcher that everybody else imports. */
export function createBatcher(deps: BatcherDeps): Batcher {
  return createPatient({ ...deps, times })
}

registerHooks({
  resolve(specifier, context, next) {
    const found = next(specifier, context)
    return found.url === patient ? { ...found, url: import.meta.url } : found
  },
})

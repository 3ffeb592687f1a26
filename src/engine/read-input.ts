import type { Job } from '../domain/job.ts'
import { StorageFailure } from '../domain/storage-failure.ts'
import { SluiceError } from '../errors.ts'
import { failIntake } from '../job/fail-intake.ts'
import type { JobDeps } from '../job/job-deps.ts'
import type { EngineDeps } from './engine-deps.ts'
import { bringIn } from './intake.ts'

/** How often it is looked whether somebody wants the job stopped. */
const LOOK_MS = 1_000
/** After how long an input is tried again that lies where nothing answers, or that another process reads. */
const AGAIN_MS = 5_000

/**
 * Reads the input of a job that was begun, and queues it: the errand of a worker. What is wrong with the input ends the job, and is seen there. Returns
 * after how long to try again, ms; `null`: there is nothing left to do. A wish to pause or cancel stops it, with all that was read kept. Rejects with a
 * StorageFailure, and with the signal's reason when that aborts.
 */
export async function readInput(
  deps: EngineDeps,
  jobDeps: JobDeps,
  jobNo: number,
  signal: AbortSignal,
): Promise<number | null> {
  const job = await deps.store.jobs.getByNo(jobNo)
  if (job === null || job.state !== 'created' || job.wanted !== null) return null
  const over = new AbortController()
  const wished = watchWish(deps, jobNo, over.signal)
  try {
    await bringIn(deps, jobDeps, job, { signal: AbortSignal.any([signal, wished]) })
    return null
  } catch (error) {
    signal.throwIfAborted()
    if (wished.aborted) return null
    return await afterFailure(jobDeps, deps, job, error)
  } finally {
    over.abort()
  }
}

/** Aborts when a pause or the end of the job is wanted. */
function watchWish({ store, runtime }: EngineDeps, jobNo: number, over: AbortSignal): AbortSignal {
  const wished = new AbortController()
  const watch = async () => {
    while (!over.aborted) {
      const [control] = await store.jobs.controls([jobNo])
      if (control === undefined || control.wanted !== null || control.state !== 'created') {
        wished.abort(new Error('something else is wanted of the job'))
        return
      }
      await runtime.sleep(LOOK_MS, over).catch(() => undefined)
    }
  }
  // A store that does not answer is seen by whoever reads the input.
  watch().catch(() => undefined)
  return wished.signal
}

async function afterFailure(jobDeps: JobDeps, deps: EngineDeps, job: Job, error: unknown): Promise<number | null> {
  if (error instanceof StorageFailure) throw error
  if (error instanceof SluiceError && error.code === 'job_state') return AGAIN_MS
  if (error instanceof SluiceError && error.code === 'storage') return AGAIN_MS
  // What is wrong with the input stands on the job already.
  if (error instanceof SluiceError && error.code !== 'internal') return null
  const name = error instanceof Error ? error.name : 'something'
  // Its message may hold what was read.
  deps.events.emit('duty.failed', { role: 'intake', jobNo: job.jobNo, message: `${name} while the input was read` })
  await failIntake(jobDeps, job, `the input could not be read, by a defect of sluice (${name})`)
  return null
}

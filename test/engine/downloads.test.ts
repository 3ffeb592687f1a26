import { expect, it } from 'vitest'
import type { Job } from '../../src/domain/job.ts'
import { StorageFailure } from '../../src/domain/storage-failure.ts'
import { createDownloads } from '../../src/engine/downloads.ts'
import type { TransferDeps } from '../../src/engine/transfer-desk.ts'

const job = { jobNo: 1, id: 'job_1', round: 0, state: 'completed', specName: 's', input: {} } as unknown as Job
const gone = new StorageFailure('io', 'its folder is gone')

/** The downloads of a job that stands in `round` by now, where no table can be made. */
function downloadsIn(round: number) {
  const deps = {
    runtime: { uuid: () => 'u' },
    store: { jobs: { getByNo: async () => ({ ...job, round }) } },
    blob: {
      async *list() {
        yield* []
      },
      async writer() {
        throw gone
      },
    },
  }
  return createDownloads(deps as unknown as TransferDeps)
}

it('whoever makes a table hears when a round has begun that took it away', async () => {
  const request = { format: 'csv', safeCsv: false, includeInput: true, signal: new AbortController().signal } as const
  await expect(downloadsIn(1).open(job, request)).rejects.toMatchObject({
    code: 'job_state',
    message: 'job_1 was run again meanwhile',
  })
  await expect(downloadsIn(0).open(job, request)).rejects.toBe(gone)
})

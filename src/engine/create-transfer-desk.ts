import type { Job, JobId } from '../domain/job.ts'
import { SluiceError } from '../errors.ts'
import { createAtOnce } from './at-once.ts'
import { checkUpload } from './check-upload.ts'
import { createDownloads } from './downloads.ts'
import { eventStream } from './event-stream.ts'
import { createJobFeeds } from './job-feed.ts'
import { createRowPages } from './row-pages.ts'
import { rowStream } from './row-stream.ts'
import type { TransferDeps, TransferDesk } from './transfer-desk.ts'

/** Uploads that are looked at at a time. */
const CHECKS = 4

/** Reads of the store at a time for all who follow jobs: hundreds may come at once, and others wait for the same few connections. */
const READS = 2

/** What goes in and out over the network, for each tenant. Made once in a process: those who follow the same job share the looking. */
export function createTransferDesks(deps: TransferDeps): (tenantNo: number) => TransferDesk {
  const feeds = createJobFeeds(deps)
  const pages = createRowPages(deps)
  const downloads = createDownloads(deps)
  const checking = createAtOnce(CHECKS)
  const reading = createAtOnce(READS)
  return (tenantNo) => {
    const find = async (id: JobId): Promise<Job> => {
      const job = await reading(() => deps.store.jobs.get(tenantNo, id))
      if (job === null) throw new SluiceError('job_not_found', `there is no job ${id} here`)
      return job
    }
    return Object.freeze({
      checkInput: async (id, file) => {
        const job = await find(id)
        await checking(() => checkUpload(deps, job, file))
      },
      rows: async (id, request) => rowStream({ deps, feeds, reading, pages }, await find(id), request),
      events: async (id, request) => eventStream({ deps, feeds, reading }, await find(id), request),
      download: async (id, request) => downloads.open(await find(id), request),
    } satisfies TransferDesk)
  }
}

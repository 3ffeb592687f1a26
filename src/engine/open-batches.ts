import { BATCH_TIMES } from '../batch/batch-work.ts'
import { type ShardVerdict, settleShard } from '../batch/settle-shard.ts'
import type { BatchShard, ShardState } from '../domain/batch.ts'
import { isTerminal, JOB_STATES, type Job, type JobId } from '../domain/job.ts'
import { SluiceError } from '../errors.ts'
import type { EngineDeps } from './engine-deps.ts'

export type { ShardVerdict } from '../batch/settle-shard.ts'

/** A batch of which not everything is brought back yet. */
export interface OpenBatch
  extends Pick<
    BatchShard,
    | 'id'
    | 'state'
    | 'requests'
    | 'batchId'
    | 'guessed'
    | 'plannedAtMs'
    | 'intentAtMs'
    | 'submittedAtMs'
    | 'heardAtMs'
    | 'cancelWantedMs'
    | 'note'
    | 'said'
  > {
  /** Whose requests it holds. */
  readonly jobs: readonly JobId[]
}

const OPEN: readonly ShardState[] = ['planned', 'submitting', 'submitted', 'ended', 'unclear']

/** Shards that are looked through at the most. */
const MOST = 10_000
const JOBS_PAGE = 100

/** Batches that are out, of one job or of all that are not over, oldest first (see Engine.batches). */
export async function openBatches(deps: EngineDeps, job: Job | null): Promise<readonly OpenBatch[]> {
  const { batches } = deps.store
  const found = new Map<string, { readonly shard: BatchShard; readonly jobs: JobId[] }>()
  for await (const { id, jobNo } of job === null ? unfinishedJobs(deps) : [job]) {
    for (const shard of await batches.shards({ states: OPEN, jobNo }, MOST)) {
      const entry = found.get(shard.id) ?? { shard, jobs: [] }
      entry.jobs.push(id)
      found.set(shard.id, entry)
    }
  }
  const views = [...found.values()].map(({ shard, jobs }) => viewOf(shard, jobs))
  return views.sort((a, b) => a.plannedAtMs - b.plannedAtMs)
}

/** Writes down what a person says of a batch that sluice knows not enough of (see Engine.settle). */
export async function settleBatch(deps: EngineDeps, name: string, verdict: ShardVerdict): Promise<OpenBatch> {
  const { store, runtime, events, batchApis: apis, tenantNo } = deps
  const open = await store.batches.shards({ states: OPEN }, MOST)
  const shard = open.find((each) => each.tenantNo === tenantNo && (each.id === name || each.batchId === name))
  if (shard === undefined) throw new SluiceError('batch_not_found', `no batch ${name} is out`)
  const settled = await settleShard({ store, runtime, events, apis, times: BATCH_TIMES }, shard, verdict)
  const jobs: JobId[] = []
  for (const jobNo of new Set((await store.batches.partsOf(shard.id)).map((part) => part.jobNo))) {
    const job = await store.jobs.getByNo(jobNo)
    if (job !== null) jobs.push(job.id)
  }
  return viewOf(settled, jobs)
}

async function* unfinishedJobs({ store, tenantNo }: EngineDeps): AsyncGenerator<Job> {
  const states = JOB_STATES.filter((state) => !isTerminal(state))
  for (let before: number | undefined; ; ) {
    const page = await store.jobs.list(tenantNo, { limit: JOBS_PAGE, states, ...(before !== undefined && { before }) })
    yield* page
    before = page.at(-1)?.jobNo
    if (before === undefined) return
  }
}

function viewOf(shard: BatchShard, jobs: readonly JobId[]): OpenBatch {
  const { id, state, requests, batchId, guessed, said, note } = shard
  const { plannedAtMs, intentAtMs, submittedAtMs, heardAtMs, cancelWantedMs } = shard
  const times = { plannedAtMs, intentAtMs, submittedAtMs, heardAtMs, cancelWantedMs }
  return { id, state, requests, batchId, guessed, said, note, ...times, jobs }
}

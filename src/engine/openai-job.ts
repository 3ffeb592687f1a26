import type { KnownModel } from '../domain/allowance.ts'
import type { ChatKind } from '../domain/chat.ts'
import { AS_SPECIFIED, type Job } from '../domain/job.ts'
import { enqueueIntake } from '../job/enqueue.ts'
import type { JobDeps } from '../job/job-deps.ts'
import { canonicalJson, specHash } from '../spec/canonical.ts'
import type { EngineDeps } from './engine-deps.ts'
import { openAiSpec } from './openai-spec.ts'
import type { Submission } from './submission.ts'

/** Makes the job of a batch, which waits for its file to be checked. The same batch again makes no second one. */
export async function createBatchJob(
  { store, runtime, tenantNo }: EngineDeps,
  batch: { readonly id: string; readonly inputFileId: string; readonly kind: ChatKind },
  model: KnownModel,
): Promise<Job> {
  const spec = await openAiSpec(batch.kind, model)
  const canonical = canonicalJson(spec)
  const hash = specHash(canonical)
  const atMs = runtime.now()
  await store.specs.put(tenantNo, hash, spec.name, canonical, atMs)
  const submission: Submission = { baseDir: '/nonexistent', specPath: '', selection: null, fileId: batch.inputFileId }
  const { job } = await store.jobs.create({
    id: batch.id.replace(/^batch_/, 'job_'),
    tenantNo,
    specName: spec.name,
    specHash: hash,
    trigger: 'openai',
    triggerRef: batch.id,
    jobKey: batch.id,
    settings: AS_SPECIFIED,
    submission: JSON.stringify(submission),
    atMs,
  })
  return job
}

/**
 * Hands the job of a batch whose file was checked over to the workers; again: nothing more. Whether they have the key of its model is theirs to see: whoever
 * checks a file need not be able to ask.
 */
export async function beginBatchJob(deps: EngineDeps, jobDeps: JobDeps, job: Job): Promise<void> {
  const { store, runtime } = deps
  const submission = await store.jobs.submission(job.jobNo)
  const begin = { specName: job.specName, specHash: job.specHash, submission, atMs: runtime.now() }
  await store.write(async (tx) => {
    if (await store.jobs.begin(tx, job.jobNo, begin)) await enqueueIntake(jobDeps, tx, job)
  })
}

import { isUnbegun, type Job } from '../domain/job.ts'
import type { Spec } from '../domain/spec.ts'
import { SluiceError } from '../errors.ts'
import { enqueueIntake } from '../job/enqueue.ts'
import type { JobDeps } from '../job/job-deps.ts'
import { checkSpec } from '../plan/check.ts'
import { canonicalJson, specHash } from '../spec/canonical.ts'
import { filePositions } from '../spec/positions.ts'
import { namedModel, withKnownModel } from '../spec/resolve-model.ts'
import { checkTools } from './check.ts'
import type { EngineDeps } from './engine-deps.ts'
import type { BeginOptions } from './job-desk.ts'
import { specOf } from './job-parts.ts'
import { pricesNow } from './plan.ts'
import { type KeptPlan, type Submission, submissionOf } from './submission.ts'
import { refuseErrors } from './submit.ts'
import { openTargets } from './take-up.ts'
import { uploadedFiles } from './uploaded-files.ts'

/** Hands a job whose input is there over to the workers (see JobDesk.begin). What looking at the beginning of the input shows is refused at once. */
export async function beginJob(
  deps: EngineDeps,
  jobDeps: JobDeps,
  job: Job,
  { model, plan }: BeginOptions,
): Promise<Job> {
  const { store, runtime } = deps
  const spec = withModel(await specOf(deps, job), model, deps)
  const canonical = canonicalJson(spec)
  const hash = specHash(canonical)
  if (job.begunAtMs !== undefined && hash === job.specHash) {
    await refuseOtherPlan(deps, job, plan)
    return job
  }
  if (!isUnbegun(job)) throw cannotBegin(job)
  const before = await submissionOf(deps, job)
  await refuseUnfinished(deps, job, before)
  const files = await uploadedFiles(deps, job, before)
  openTargets(deps, spec)
  const submission = runByPlan(before, { specHash: hash, priceHash: pricesNow(deps, spec) }, plan)
  const reading = {
    findings: [],
    draft: spec,
    positions: filePositions('spec'),
    baseDir: before.baseDir,
    notYetCount: 0,
  }
  refuseErrors(await checkSpec(reading, checkTools(deps, files)))
  await store.specs.put(job.tenantNo, hash, spec.name, canonical, runtime.now())
  const begun = await store.write(async (tx) => {
    const began = await store.jobs.begin(tx, job.jobNo, {
      specName: spec.name,
      specHash: hash,
      submission: JSON.stringify(submission),
      atMs: runtime.now(),
    })
    if (began) await enqueueIntake(jobDeps, tx, job)
    return began
  })
  const now = await store.jobs.getByNo(job.jobNo)
  // Somebody else was faster: the same wish is fulfilled, another is not.
  if (now === null || (!begun && now.specHash !== hash)) throw cannotBegin(now ?? job)
  if (!begun) await refuseOtherPlan(deps, now, plan)
  return now
}

/** What a job that starts now keeps: what its plan expects it to cost, where that is still the plan of what it does. `asked`: it must be this one. */
function runByPlan(
  { plan, ...submission }: Submission,
  now: Pick<KeptPlan, 'specHash' | 'priceHash'>,
  asked: string | undefined,
): Submission {
  const holds = plan !== undefined && plan.specHash === now.specHash && plan.priceHash === now.priceHash
  if (asked !== undefined && !(holds && plan.id === asked)) {
    throw new SluiceError(
      'plan_stale',
      `${asked} is not the latest plan of this job, or its model or a price changed since`,
      {
        hint: 'Plan it anew, or start it without a plan.',
      },
    )
  }
  if (!holds) return submission
  return { ...submission, planId: plan.id, ...(plan.expectedNano !== null && { plannedNano: plan.expectedNano }) }
}

/** A job that was begun is run by the plan that it had then, and by no other. */
async function refuseOtherPlan(deps: EngineDeps, job: Job, asked: string | undefined): Promise<void> {
  if (asked === undefined || (await submissionOf(deps, job)).planId === asked) return
  throw new SluiceError('plan_stale', `${job.id} was started before, and not by ${asked}`, {
    hint: 'What it is run by was settled when it was started. Create another job.',
  })
}

/** The spec with the model of this name, where one is given. */
function withModel(spec: Spec, name: string | undefined, { allowance }: EngineDeps): Spec {
  if (name === undefined) return spec
  return withKnownModel(spec, namedModel(name, allowance))
}

async function refuseUnfinished({ store }: EngineDeps, job: Job, { fileId }: Submission): Promise<void> {
  if (fileId === undefined) return
  const file = await store.files.get(job.tenantNo, fileId)
  if (file?.state === 'ready') return
  const what =
    file === null
      ? 'is gone'
      : file.state === 'refused'
        ? `was refused: ${file.note ?? 'it did not pass the check'}`
        : `is not there yet (${file.bytes} bytes so far)`
  throw new SluiceError('job_state', `the input of ${job.id} ${what}`, { hint: 'Upload it, then start the job.' })
}

function cannotBegin(job: Job): SluiceError {
  const before = job.begunAtMs === undefined ? '' : ', and was started before'
  const what = job.state === 'created' ? 'was started with another model' : `is ${job.state}${before}`
  return new SluiceError('job_state', `${job.id} ${what}`, { hint: 'Create another job.' })
}

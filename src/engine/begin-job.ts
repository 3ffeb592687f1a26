import type { Job } from '../domain/job.ts'
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
import { specOf } from './job-parts.ts'
import type { Submission } from './submission.ts'
import { refuseErrors } from './submit.ts'
import { openTargets } from './take-up.ts'
import { uploadedFiles } from './uploaded-files.ts'

/** Hands a job whose input is there over to the workers (see JobDesk.begin). What looking at the beginning of the input shows is refused at once. */
export async function beginJob(
  deps: EngineDeps,
  jobDeps: JobDeps,
  job: Job,
  { model }: { readonly model?: string },
): Promise<Job> {
  const { store, runtime } = deps
  const spec = withModel(await specOf(deps, job), model, deps)
  const canonical = canonicalJson(spec)
  const hash = specHash(canonical)
  if (job.begunAtMs !== undefined && hash === job.specHash) return job
  if (job.state !== 'created' || job.begunAtMs !== undefined) throw cannotBegin(job)
  const submissionText = await store.jobs.submission(job.jobNo)
  const submission = JSON.parse(submissionText) as Submission
  await refuseUnfinished(deps, job, submission)
  const files = await uploadedFiles(deps, job, submission)
  openTargets(deps, spec)
  const reading = {
    findings: [],
    draft: spec,
    positions: filePositions('spec'),
    baseDir: submission.baseDir,
    notYetCount: 0,
  }
  refuseErrors(await checkSpec(reading, checkTools(deps, files)))
  await store.specs.put(job.tenantNo, hash, spec.name, canonical, runtime.now())
  const begun = await store.write(async (tx) => {
    const began = await store.jobs.begin(tx, job.jobNo, {
      specName: spec.name,
      specHash: hash,
      submission: submissionText,
      atMs: runtime.now(),
    })
    if (began) await enqueueIntake(jobDeps, tx, job)
    return began
  })
  const now = await store.jobs.getByNo(job.jobNo)
  // Somebody else was faster: the same wish is fulfilled, another is not.
  if (now === null || (!begun && now.specHash !== hash)) throw cannotBegin(now ?? job)
  return now
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

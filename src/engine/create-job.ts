import { posix } from 'node:path'
import { AS_SPECIFIED, isUnbegun, type Job } from '../domain/job.ts'
import type { ModelSpec, Spec } from '../domain/spec.ts'
import { NO_CAPS } from '../domain/tenant.ts'
import { SluiceError } from '../errors.ts'
import { checkSpec } from '../plan/check.ts'
import { readForeignSpec } from '../spec/foreign.ts'
import { loaded } from '../spec/load.ts'
import { checkTools } from './check.ts'
import type { EngineDeps } from './engine-deps.ts'
import type { Created, CreateRequest } from './job-desk.ts'
import { specOf } from './job-parts.ts'
import { type Submission, submissionOf } from './submission.ts'
import { refuseErrors } from './submit.ts'
import { openTargets } from './take-up.ts'

/** What a job's file is called whose spec gives it no name. */
const UNNAMED = 'input.csv'

/** Creates a job that waits for its input (see JobDesk.create): what can be found for free without the input is found first. */
export async function createJob(deps: EngineDeps, request: CreateRequest): Promise<Created> {
  const { store, runtime, tenantNo } = deps
  const known = await store.jobs.get(tenantNo, request.id)
  if (known !== null) return again(deps, known, false)
  const reading = await readForeignSpec(request.spec, { allowance: deps.allowance, env: deps.env, name: 'spec' })
  const spec = loaded(reading)
  openTargets(deps, spec.spec)
  await refuseOwnPrices(deps, spec.spec)
  const findings = await checkSpec(reading, checkTools(deps, null))
  refuseErrors(findings)
  await store.specs.put(tenantNo, spec.hash, spec.spec.name, spec.canonicalJson, runtime.now())
  const isUploaded = !/^s3:/i.test(spec.spec.input.source ?? '')
  const submission: Submission = {
    baseDir: spec.baseDir,
    specPath: '',
    selection: null,
    ...(isUploaded && { fileId: fileIdOf(request.id) }),
    ...(deps.allowance.unpackedBytes !== undefined && { unpackedBytes: deps.allowance.unpackedBytes }),
    ...(request.columnsHint !== null && { columnsHint: request.columnsHint }),
  }
  const { job, created } = await store.jobs.create({
    id: request.id,
    tenantNo,
    specName: spec.spec.name,
    specHash: spec.hash,
    trigger: request.trigger,
    triggerRef: request.triggerRef,
    jobKey: request.jobKey,
    settings: AS_SPECIFIED,
    submission: JSON.stringify(submission),
    atMs: runtime.now(),
  })
  if (!created && job.specHash !== spec.hash) {
    throw new SluiceError(
      'job_key_conflict',
      `the job key ${JSON.stringify(request.jobKey)} belongs to ${job.id}, which has another spec`,
    )
  }
  if (!created) return again(deps, job, true)
  await addFile(deps, job, submission, posix.basename(spec.spec.input.source ?? UNNAMED))
  return {
    job,
    isOther: false,
    fileId: submission.fileId ?? null,
    notes: findings.filter(({ severity }) => severity === 'warning').map(({ message }) => message),
  }
}

/** Whoever has a budget in dollars does not say what a dollar buys. */
async function refuseOwnPrices({ store, tenantNo, allowance }: EngineDeps, { model }: Spec): Promise<void> {
  const known = new Set(Object.values(allowance.models).map(({ id, price = null }) => JSON.stringify([id, price])))
  const isOwn = ({ target, price }: Pick<ModelSpec, 'target' | 'price'>) =>
    price !== null && !known.has(JSON.stringify([target.id, price]))
  const own = [model, ...model.fallback].find(isOwn)
  if (own === undefined) return
  const caps = (await store.tenants.get(tenantNo))?.caps ?? NO_CAPS
  if (caps.dayNano === null && caps.monthNano === null) return
  throw new SluiceError(
    'spec_invalid',
    `price of ${own.target.id}: with a budget of the tenant, prices are not the spec's to say`,
    {
      hint: 'Leave out `price`.',
    },
  )
}

/** A job that is there already: what a crash may have left out is done now. */
async function again(deps: EngineDeps, job: Job, isOther: boolean): Promise<Created> {
  const submission = await submissionOf(deps, job)
  if (!isUnbegun(job)) return { job, isOther, fileId: null, notes: [] }
  const { input } = await specOf(deps, job)
  await addFile(deps, job, submission, posix.basename(input.source ?? UNNAMED))
  return { job, isOther, fileId: submission.fileId ?? null, notes: [] }
}

async function addFile({ store, runtime }: EngineDeps, job: Job, { fileId }: Submission, name: string): Promise<void> {
  if (fileId === undefined) return
  await store.files.add({
    id: fileId,
    tenantNo: job.tenantNo,
    purpose: 'input',
    name,
    createdAtMs: runtime.now(),
    expiresAtMs: null,
  })
}

/** The same for the same job: a create that died half-way finds what it has made. */
function fileIdOf(jobId: string): string {
  return jobId.replace(/^job_/, 'file_')
}

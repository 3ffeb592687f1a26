import { resolve } from 'node:path'
import { AS_SPECIFIED, type Job, PILOT_REF, TRIAL_REF } from '../domain/job.ts'
import type { SubmitRequest, Submitted } from '../engine.ts'
import { type Finding, SluiceError } from '../errors.ts'
import { hashInput } from '../intake/hash-input.ts'
import type { JobDeps } from '../job/job-deps.ts'
import { refuseStale } from '../plan/binding.ts'
import { checkSpec } from '../plan/check.ts'
import { loaded, readSpec } from '../spec/load.ts'
import type { LoadedSpec } from '../spec/reading.ts'
import { checkTools } from './check.ts'
import type { EngineDeps } from './engine-deps.ts'
import { bringIn } from './intake.ts'
import { bindingOf } from './plan.ts'
import { type Submission, submissionOf } from './submission.ts'
import { openTargets } from './take-up.ts'

/**
 * Creates a job and reads its input (see Engine.submit). Before anything is created: the spec is loaded, its models and keys are looked up, and its
 * templates are compiled against the input's columns, so that what can be found for free is found first.
 */
export async function submit(deps: EngineDeps, jobDeps: JobDeps, request: SubmitRequest): Promise<Submitted> {
  const { store, runtime } = deps
  const reading = await readSpec(request.specPath, {
    env: deps.env,
    cwd: deps.cwd,
    overrides: { ...request.overrides, cwd: deps.cwd },
  })
  const spec = loaded(reading)
  const known = request.jobKey === undefined ? null : await store.jobs.byKey(deps.tenantNo, request.jobKey)
  if (known !== null) return attach(deps, jobDeps, known, spec, request)
  openTargets(deps, spec.spec)
  const findings = await checkSpec(reading, checkTools(deps))
  refuseErrors(findings)
  if (request.plan !== undefined) {
    refuseStale(request.plan.binding, await bindingOf(deps, spec, intakeOptions(request).signal))
  }
  await store.specs.put(deps.tenantNo, spec.hash, spec.spec.name, spec.canonicalJson, runtime.now())
  const submission: Submission = {
    baseDir: spec.baseDir,
    specPath: resolve(deps.cwd, request.specPath),
    selection: request.selection ?? null,
    ...plannedCost(request),
  }
  const { job, created } = await store.jobs.create({
    id: `job_${runtime.uuid()}`,
    tenantNo: deps.tenantNo,
    specName: spec.spec.name,
    specHash: spec.hash,
    trigger: 'cli',
    triggerRef: referenceOf(request),
    jobKey: request.jobKey ?? null,
    settings: AS_SPECIFIED,
    submission: JSON.stringify(submission),
    atMs: runtime.now(),
  })
  // Somebody else was faster with the same key.
  if (!created) return attach(deps, jobDeps, job, spec, request)
  await bringIn(deps, jobDeps, job, intakeOptions(request))
  const read = await reread(deps, job)
  // Warnings that `check` would give: an unknown price, say.
  const warnings = findings.filter((finding) => finding.severity === 'warning').map((finding) => finding.message)
  return { job: read, created, notes: [...warnings, ...(read.input?.notes ?? [])] }
}

/** What the job keeps of why it was made: a trial, a pilot, or the plan that it runs. */
function referenceOf({ selection, pilot, plan }: SubmitRequest): string | null {
  if (selection !== undefined) return pilot === true ? PILOT_REF : TRIAL_REF
  return plan?.id ?? null
}

function plannedCost({ plan }: SubmitRequest): Pick<Submission, 'plannedNano'> {
  const nano = plan?.expectedNano ?? null
  return nano === null ? {} : { plannedNano: nano }
}

/** A job key that is taken: its job is continued, where it is the same work. */
async function attach(
  deps: EngineDeps,
  jobDeps: JobDeps,
  job: Job,
  loaded: LoadedSpec,
  request: SubmitRequest,
): Promise<Submitted> {
  await refuseOtherWork(deps, job, loaded, request)
  if (job.state === 'created') await bringIn(deps, jobDeps, job, intakeOptions(request))
  return { job: await reread(deps, job), created: false, notes: loaded.notes.map((note) => note.message) }
}

function intakeOptions(request: SubmitRequest) {
  const signal = request.signal ?? new AbortController().signal
  return { signal, ...(request.onIntake && { onIntake: request.onIntake }) }
}

async function reread(deps: EngineDeps, job: Job): Promise<Job> {
  return (await deps.store.jobs.getByNo(job.jobNo)) ?? job
}

/** The same key with another spec or input is a mistake that must not bill (contract §5). */
async function refuseOtherWork(deps: EngineDeps, job: Job, loaded: LoadedSpec, request: SubmitRequest): Promise<void> {
  const conflict = (what: string) =>
    new SluiceError(
      'job_key_conflict',
      `the job key ${JSON.stringify(request.jobKey)} belongs to ${job.id}, which ${what}`,
    )
  // A retry may have run another version since: the key stands for the first.
  const first = await deps.store.jobs.round(job.jobNo, 0)
  const before = await submissionOf(deps, job)
  if ((first?.specHash ?? job.specHash) !== loaded.hash || before.baseDir !== loaded.baseDir) {
    throw conflict('has another spec')
  }
  if (job.inputHash === null) return
  const { signal } = intakeOptions(request)
  const hash = await hashInput({ input: loaded.spec.input, baseDir: loaded.baseDir, env: deps.env, signal })
  if (hash !== null && hash !== job.inputHash) throw conflict('has read another input: the file has changed since')
}

/** What `check` would call an error is one here too: nothing is created, nothing is spent. */
export function refuseErrors(findings: readonly Finding[]): void {
  const errors = findings.filter((finding) => finding.severity === 'error')
  const [first] = errors
  if (first === undefined) return
  const alone = errors.length === 1
  throw new SluiceError('spec_invalid', alone ? first.message : `the spec has ${errors.length} errors`, {
    place: first.place,
    findings: errors,
    ...(alone && first.hint !== null && { hint: first.hint }),
  })
}

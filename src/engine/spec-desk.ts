import { isTerminal, type JobId } from '../domain/job.ts'
import type { Plan } from '../domain/plan.ts'
import type { Planned } from '../engine.ts'
import { type Finding, SluiceError } from '../errors.ts'
import { checkSpec } from '../plan/check.ts'
import { readForeignSpec } from '../spec/foreign.ts'
import { loaded } from '../spec/load.ts'
import type { LoadedSpec, SpecReading } from '../spec/reading.ts'
import { checkTools } from './check.ts'
import type { EngineDeps } from './engine-deps.ts'
import { specOf } from './job-parts.ts'
import { planSpec, type ToPlan } from './plan.ts'
import { submissionOf } from './submission.ts'
import { refuseErrors } from './submit.ts'
import { uploadedFiles } from './uploaded-files.ts'

/** Specs that come over the network, looked at without spending anything. */
export interface SpecDesk {
  /** Finds everything that is wrong with a document, as far as that can be said without its input. */
  check(document: unknown): Promise<{ readonly findings: readonly Finding[]; readonly ok: boolean }>
  /** The spec that a document is. Throws SluiceError `spec_invalid`, or `not_yet_supported`, with all findings. */
  read(document: unknown): Promise<Pick<LoadedSpec, 'spec' | 'hash'>>
  /**
   * Plans a document whose input lies in object storage, or a job that waits to be started, with what was uploaded for it. `keep`: the job keeps what this
   * plan expects it to cost, in place of any before. Throws `spec_invalid`, `input_missing`, `job_not_found`, `job_state`.
   */
  plan(
    what: { readonly document: unknown } | { readonly job: JobId },
    options: { readonly explain: boolean; readonly keep: boolean; readonly signal: AbortSignal },
  ): Promise<Planned>
}

/** Creates the desk of the tenant that `deps` are of. */
export function createSpecDesk(deps: EngineDeps): SpecDesk {
  const readingOf = (document: unknown) =>
    readForeignSpec(document, { allowance: deps.allowance, env: deps.env, name: 'spec' })
  const check = async (reading: SpecReading) => {
    // What the allowance refuses must not be looked at either.
    const isSound = !reading.findings.some(({ severity }) => severity === 'error')
    return checkSpec(reading, checkTools(deps, isSound && isRemote(reading) ? undefined : null))
  }
  return Object.freeze({
    async check(document) {
      const findings = await check(await readingOf(document))
      return { findings, ok: !findings.some(({ severity }) => severity === 'error') }
    },
    async read(document) {
      const reading = await readingOf(document)
      const { spec, hash } = loaded(reading)
      refuseErrors(await checkSpec(reading, checkTools(deps, null)))
      return { spec, hash }
    },
    async plan(what, { explain, keep, signal }) {
      if ('job' in what) {
        const job = await jobToPlan(deps, what.job)
        const planned = await plan(deps, job, explain, signal)
        if (keep && planned.plan !== null) await keepPlan(deps, job, planned.plan)
        return { findings: [], ...planned }
      }
      const reading = await readingOf(what.document)
      const spec = loaded(reading)
      if (!isRemote(reading)) {
        throw new SluiceError('input_missing', 'a spec alone has no rows to plan for', {
          hint: 'Create a job, upload its input, and plan that: {"job_id": "job_…"}.',
        })
      }
      const findings = await check(reading)
      refuseErrors(findings)
      return { findings, ...(await plan(deps, spec, explain, signal)) }
    },
  } satisfies SpecDesk)
}

/** Whether the rows lie in object storage, where they can be read without an upload. */
function isRemote({ draft }: SpecReading): boolean {
  return /^s3:/i.test(draft?.input.source ?? '')
}

function plan(deps: EngineDeps, spec: ToPlan, explain: boolean, signal: AbortSignal) {
  return planSpec(deps, spec, { explain, signal }, () => {
    throw new SluiceError('internal', 'a plan over the network was to run a pilot')
  })
}

/** The spec of a job that waits to be started, and what was uploaded for it. */
async function jobToPlan(deps: EngineDeps, id: JobId): Promise<ToPlan & { readonly jobNo: number }> {
  const { store, tenantNo } = deps
  const job = await store.jobs.get(tenantNo, id)
  if (job === null) throw new SluiceError('job_not_found', `there is no job ${id} here`)
  if (isTerminal(job.state) || job.input !== null) {
    throw new SluiceError('job_state', `${id} was started: there is nothing left to plan`, {
      hint: 'Its status says how it goes, and its report what came of it.',
    })
  }
  const submission = await submissionOf({ store }, job)
  const files = await uploadedFiles(deps, job, submission)
  return { spec: await specOf(deps, job), hash: job.specHash, baseDir: submission.baseDir, files, jobNo: job.jobNo }
}

/** By this plan the job is run, unless another comes before its start. One that was started meanwhile runs by none. */
async function keepPlan({ store }: EngineDeps, { jobNo }: { readonly jobNo: number }, made: Plan): Promise<void> {
  const { id, binding, use } = made
  const { specHash, priceHash } = binding
  const kept = { id, specHash, priceHash, expectedNano: use.costNano?.expected ?? null }
  await store.jobs.resubmit(jobNo, JSON.stringify({ ...(await submissionOf({ store }, { jobNo })), plan: kept }))
}

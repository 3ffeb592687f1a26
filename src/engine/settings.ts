import { limitsOf } from '../domain/budget.ts'
import type { Job, JobSettings } from '../domain/job.ts'
import type { Spec } from '../domain/spec.ts'
import { SluiceError } from '../errors.ts'
import { budgetObstacles } from '../plan/check-budget.ts'
import type { EngineDeps } from './engine-deps.ts'
import { specOf } from './job-parts.ts'

/** Changes the settings of a job (see Engine.set). */
export async function changeSettings(deps: EngineDeps, job: Job, settings: Partial<JobSettings>): Promise<void> {
  assertKeepable(deps, await specOf(deps, job), { ...job.settings, ...settings })
  await deps.store.jobs.set(job.jobNo, settings, deps.runtime.now())
}

/** Throws `budget_unkeepable` where the job has a budget in dollars that cannot be reserved with the models of this spec. */
export function assertKeepable({ models }: Pick<EngineDeps, 'models'>, spec: Spec, settings: JobSettings): void {
  if (limitsOf(spec.budget, settings).nano === null) return
  const [first] = budgetObstacles(spec, (target, own) => models.price(target, own))
  if (first !== undefined) throw new SluiceError('budget_unkeepable', first.message, { hint: first.hint })
}

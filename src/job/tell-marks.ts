import { type Alert, alertsIn } from '../domain/alert.ts'
import { limitsOf, plus } from '../domain/budget.ts'
import { type BudgetMark, isNewMark, marksReached } from '../domain/budget-mark.ts'
import { projectionOf } from '../domain/budget-view.ts'
import { isTrial, type Job } from '../domain/job.ts'
import { isTelling } from '../domain/projection.ts'
import type { Spec } from '../domain/spec.ts'
import type { StoreTx } from '../domain/store-tx.ts'
import { alertNotices, budgetNotices, type Standing } from '../notify/notices.ts'
import type { Outlook } from '../store/role/budgets.ts'
import type { JobDeps } from './job-deps.ts'

/** What a job has to tell besides its ends and halts, whether it was told before or not. */
export interface Marks {
  readonly budget: readonly BudgetMark[]
  readonly alerts: readonly Alert[]
}

const NONE: Marks = Object.freeze({ budget: [], alerts: [] })

/** Whether somebody wants to hear how a running job stands, and not only of its ends and halts. Of trials and pilots nobody hears. */
export function wantsMarks(job: Pick<Job, 'triggerRef'>, { notify }: Pick<Spec, 'notify'>): boolean {
  return !isTrial(job) && (notify ?? []).some(({ when }) => when.includes('budget') || when.includes('alert'))
}

/** Which marks of its budgets a job has reached, and which rules it breaks, as far as somebody wants to hear of them. */
export async function marksOf(deps: JobDeps, spec: Spec, standing: Standing & { readonly job: Job }): Promise<Marks> {
  const { job } = standing
  if (!wantsMarks(job, spec)) return NONE
  const outlook = await deps.store.budgets.outlook(job.jobNo)
  const { alerts } = spec
  return {
    budget: spec.notify?.some(({ when }) => when.includes('budget'))
      ? await budgetMarks(deps, spec, standing, outlook)
      : [],
    alerts: alerts === undefined ? [] : alertsIn(alerts, await alertsSeen(deps, spec, standing, outlook)),
  }
}

/** From which share on a budget is taken for the one that had no room, where it may as well have been one of the job's tenant. */
const SURELY_OWN = 0.8

async function budgetMarks(
  { store }: JobDeps,
  spec: Spec,
  { job, reason }: Standing & { readonly job: Job },
  { set, spent, doubtful, stoppedAt }: Outlook,
): Promise<readonly BudgetMark[]> {
  const limits = limitsOf(spec.budget, { budgetNano: set.nano, budgetTokens: set.tokens })
  const used = plus(spent, doubtful)
  // A job that its projection has stopped has a rest of its budget, and has noted that stop.
  if (reason !== 'budget' || stoppedAt !== null) return marksReached(limits, used, null)
  const caps = (await store.jobs.controls([job.jobNo]))[0]?.caps
  const isLimited = (caps?.dayNano ?? caps?.monthNano ?? null) !== null
  return marksReached(limits, used, isLimited ? SURELY_OWN : 0)
}

async function alertsSeen(
  { store, plannedNano }: JobDeps,
  { execution }: Spec,
  { job, counters, atMs }: Standing & { readonly job: Job },
  outlook: Outlook,
) {
  const beganMs = (await store.jobs.round(job.jobNo, job.round))?.atMs ?? job.createdAtMs
  const known = isTelling({ total: outlook.rowsTotal, ended: outlook.rowsEnded }) ? projectionOf(outlook) : null
  return {
    counters,
    runningMs: atMs - beganMs,
    ...(execution.deadlineMs !== undefined && { deadlineMs: execution.deadlineMs }),
    projectedNano: known?.low.nano ?? outlook.spent.nano,
    plannedNano: (await plannedNano?.(job)) ?? null,
  }
}

/**
 * Notes in `tx` which of a job's marks are news, and writes down for each whom its spec wants to hear of it. A mark of a budget is news until one as high
 * was told of this budget, a rule once in each round. However many do this at once, and whoever dies, each is told once. Returns for how many.
 */
export async function tellMarks(
  deps: Pick<JobDeps, 'store' | 'runtime'>,
  tx: StoreTx,
  standing: Standing & { readonly job: Job },
  spec: Spec,
  { budget, alerts }: Marks,
): Promise<number> {
  const { store, runtime } = deps
  const { job, atMs } = standing
  const notify = spec.notify ?? []
  const toldOf = async <T>(type: string, any: readonly unknown[]) =>
    any.length === 0 ? [] : (await store.events.told(tx, job.jobNo, type)).map(({ data }) => JSON.parse(data) as T)
  const toldMarks = await toldOf<BudgetMark>('job.budget', budget)
  const newMarks = budget.filter((mark) => isNewMark(mark, toldMarks))
  for (const mark of newMarks) {
    await store.events.append(tx, job.jobNo, 'job.budget', mark, atMs)
    await store.outbox.put(tx, job, budgetNotices(notify, standing, mark, runtime.uuid), atMs)
  }
  const { round } = job
  const toldAlerts = await toldOf<ToldAlert>('job.alert', alerts)
  const newAlerts = alerts.filter((alert) => !toldAlerts.some((one) => one.rule === alert.rule && one.round === round))
  for (const alert of newAlerts) {
    await store.events.append(tx, job.jobNo, 'job.alert', { ...alert, round } satisfies ToldAlert, atMs)
    await store.outbox.put(tx, job, alertNotices(notify, standing, alert, runtime.uuid), atMs)
  }
  return newMarks.length + newAlerts.length
}

type ToldAlert = Alert & { readonly round: number }

import { durationText } from '../domain/limit-text.ts'
import { rerouted } from '../domain/route.ts'
import { isFlexAccount } from '../limit/flex-account.ts'
import type { Down } from '../limit/governor.ts'
import { type JobRun, order, type TargetRun } from './job-run.ts'
import { accountOf } from './live-way.ts'
import type { StorageGuard } from './storage-guard.ts'
import { whyDown } from './why-down.ts'
import type { WorkerDeps } from './worker-deps.ts'

type Deps = Pick<WorkerDeps, 'governor' | 'runtime' | 'store'>

/**
 * An outage that outlasts all patience stops every job that uses the account. Whoever resumes one of them waits anew. Where only flex is not to be had,
 * jobs that go so go on live, for good.
 */
export async function checkProviders(deps: Deps, guard: StorageGuard, runs: Iterable<JobRun>): Promise<void> {
  const { governor } = deps
  const down = new Set<string>()
  for (const run of runs) {
    if (run.noFlex !== undefined) await leaveFlex(deps, guard, run, run.noFlex)
    for (const target of run.targets.values()) {
      const account = accountOf(run, target)
      const { down: why } = governor.state(account)
      if (why === null) continue
      down.add(account)
      if (isFlexAccount(account) && isOfFlex(why)) await leaveFlex(deps, guard, run, withoutFlex(target, why))
      else order(run, { kind: 'own', reason: 'provider_down', detail: whyDown(target.modelId, why) })
    }
  }
  for (const account of down) governor.forgiveOutage(account)
}

/** Whether live may fare better: not where a limit of the account is used up, or nobody can be reached. */
function isOfFlex({ cause }: Down): boolean {
  return cause !== null && cause !== 'connection'
}

async function leaveFlex({ runtime, store }: Deps, guard: StorageGuard, run: JobRun, why: string): Promise<void> {
  const { route } = run
  if (route === null || route.way !== 'flex') return
  const atMs = runtime.now()
  const live = rerouted(route, { atMs, to: 'live', why })
  // Where somebody else has changed it, the next beat reads what it is now.
  if (await guard.persist(() => store.jobs.setRoute(run.job.jobNo, route, live, atMs))) run.route = live
}

function withoutFlex({ modelId }: TargetRun, { cause, forMs, waitMs }: Down): string {
  if (waitMs !== null) return `${modelId} asks to wait ${durationText(waitMs)} for flex`
  const what = cause === 'timeout' ? 'has answered nothing in time as flex' : 'has had no room for flex'
  return `${modelId} ${what} for ${durationText(forMs)}`
}

import { setTimeout as sleep } from 'node:timers/promises'
import { type SimulatedProvider, startSimulatedProvider } from '../../test/scenario/simulated-provider.ts'
import type { TrialCase } from './cases.ts'
import type { Query } from './tell.ts'

/** Rows that a job must answer after it was resumed. */
const ENOUGH = 100

/** When a job paused, and why it says it did. */
export interface Paused {
  readonly afterS: number
  readonly detail: string
}

/** Waits until the job has paused, which must be with `provider_down`. */
export async function untilPaused(query: Query, firstMs: number): Promise<Paused> {
  for (;;) {
    const [job] = await query<{ state: string; reason: string; detail: string }>(
      'select state, reason, detail from jobs',
    )
    if (job?.state === 'paused') {
      if (job.reason !== 'provider_down') throw new Error(`paused for ${job.reason}: ${job.detail}`)
      return { afterS: (Date.now() - firstMs) / 1000, detail: job.detail }
    }
    await sleep(200)
  }
}

/** Puts a provider that is well in the place of one that turned all away. */
export async function startWell(trial: TrialCase, down: SimulatedProvider, log: string): Promise<SimulatedProvider> {
  await down.stop()
  const flags = trial.provider.filter((flag, index, all) => !isFault(flag) && !isFault(all[index - 1]))
  return startSimulatedProvider([...flags, '--port', new URL(down.url).port], log)
}

/** Waits until the job has answered some rows. */
export async function untilAnswered(query: Query): Promise<void> {
  const count = 'select count(*) as n from attempts where cause is null'
  while (Number((await query<{ n: number }>(count))[0]?.n ?? 0) < ENOUGH) await sleep(200)
}

function isFault(flag: string | undefined): boolean {
  return flag === '--rate-limited' || flag === '--overloaded'
}

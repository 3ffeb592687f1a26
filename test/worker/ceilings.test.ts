import { expect, it } from 'vitest'
import { NO_LIMITS } from '../../src/limit/demand.ts'
import { flexAccount } from '../../src/limit/flex-account.ts'
import type { Ceiling, Governor } from '../../src/limit/governor.ts'
import { applyCeilings, type JobRun, type TargetRun } from '../../src/worker/job-run.ts'

const FLEX = { price: null, priceNo: null }

function run(max: number, rpm: number | null, flex: TargetRun['flex'], tenantNo = 1) {
  const limits = rpm === null ? null : { ...NO_LIMITS, rpm }
  const spec = { execution: { concurrency: { max }, limits } }
  return {
    job: { tenantNo },
    spec,
    settings: {},
    targets: new Map([[-1, { account: 'a', flex }]]),
  } as unknown as JobRun
}

it('what goes as flex is bound like its account: by the least that any job on it says', () => {
  const bounds = new Map<string, Ceiling>()
  const governor = { bound: (name: string, ceiling: Ceiling) => bounds.set(name, ceiling) } as unknown as Governor
  const least = { concurrency: 8, limits: { ...NO_LIMITS, rpm: 60 } }
  for (const runs of [
    [run(8, null, FLEX), run(64, 60, null)],
    [run(64, 60, null), run(8, null, FLEX)],
  ]) {
    bounds.clear()
    applyCeilings(governor, runs)
    expect([...bounds]).toEqual([
      ['a', least],
      [flexAccount('a'), least],
    ])
  }
  bounds.clear()
  applyCeilings(governor, [run(64, 60, null)])
  expect([...bounds.keys()]).toEqual(['a'])
})

it('no tenant slows down the others on an account: the concurrency is that of the one that says most', () => {
  const bounds = new Map<string, Ceiling>()
  const governor = { bound: (name: string, ceiling: Ceiling) => bounds.set(name, ceiling) } as unknown as Governor
  applyCeilings(governor, [run(1, null, null, 1), run(8, null, null, 2), run(64, null, null, 2)])
  expect(bounds.get('a')?.concurrency).toBe(8)
})

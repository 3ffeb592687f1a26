import type { Range } from '../domain/range.ts'
import type { ModelTarget } from '../domain/request.ts'
import { turnaroundRange } from '../lane/turnaround.ts'
import type { EngineDeps } from './engine-deps.ts'

/** Batches that are looked back on at the most. */
const LOOK_BACK = 40

/** How long batches of an account took lately. */
export interface Turnarounds {
  readonly ms: Range
  /** So many were looked at. */
  readonly batches: number
}

/** How long the latest batches of a model's account took, ms, newest first. */
export async function pastTurnarounds(
  { store, models }: Pick<EngineDeps, 'store' | 'models'>,
  target: ModelTarget,
): Promise<readonly number[]> {
  return (await store.batches.turnarounds(models.account(target), LOOK_BACK)).map(({ ms }) => ms)
}

/** The same as a range; `null`: too few have been seen to tell. */
export async function turnaroundsOf(
  deps: Pick<EngineDeps, 'store' | 'models'>,
  target: ModelTarget,
): Promise<Turnarounds | null> {
  const past = await pastTurnarounds(deps, target)
  const ms = turnaroundRange(past)
  return ms === null ? null : { ms, batches: past.length }
}

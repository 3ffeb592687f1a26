import type { LimitFigure } from '../domain/limit-text.ts'
import type { PlannedTime, PlannedUse } from '../domain/plan.ts'
import type { Spec } from '../domain/spec.ts'
import { GIVEN_LIMITS } from '../limit/demand.ts'
import { estimateTime } from '../plan/duration.ts'
import type { Evidence } from '../plan/estimate.ts'
import type { Tally } from '../plan/row-tally.ts'
import type { EngineDeps } from './engine-deps.ts'
import { type PastJob, pacesOf } from './plan-history.ts'

/** What is known of the rows that are to be asked. */
export interface RowEvidence {
  readonly tally: Tally
  readonly past: readonly PastJob[]
  readonly evidence: Evidence
}

/** How long the rows take live, on one worker; `null`: nothing was asked yet that would tell. */
export function liveTime(
  deps: EngineDeps,
  spec: Spec,
  { tally, past, evidence }: RowEvidence,
  use: PlannedUse,
): PlannedTime | null {
  return estimateTime({
    rows: tally.rows.toRun,
    concurrency: inFlight(spec, tally),
    paces: pacesOf(past, spec),
    observations: evidence.observations,
    pushBacks: evidence.pushBacks,
    use,
    limits: limitsOf(deps, spec),
  })
}

/** Rows in flight at a time: as many as the spec allows, and as the chunks that are held have. */
export function inFlight({ execution }: Spec, { rows }: Tally): number {
  const chunkRows = execution.chunkRows ?? Math.max(10, Math.min(200, Math.floor(rows.total / 20)))
  return Math.min(execution.concurrency.max, execution.chunksInFlight * chunkRows)
}

/**
 * Limits of the account: what the spec gives, and what the provider has said, to a pilot above all. What was guessed from refusals is no figure
 * to plan with.
 */
function limitsOf(deps: EngineDeps, { execution, model }: Spec): readonly LimitFigure[] {
  const given = (Object.keys(GIVEN_LIMITS) as (keyof typeof GIVEN_LIMITS)[]).flatMap((name) => {
    const limit = execution.limits[name]
    return limit === null ? [] : [{ ...GIVEN_LIMITS[name], limit }]
  })
  const { limits } = deps.governor.state(deps.models.account(model.target))
  return [...given, ...limits.filter(({ source }) => source === 'said')]
}

import type { AttemptFact } from '../domain/attempt.ts'
import { type Demand, NO_LIMITS } from '../limit/demand.ts'
import { createEstimator } from '../limit/estimate.ts'
import type { Draw, Share } from '../limit/share.ts'
import type { Runtime } from '../runtime.ts'
import type { Fleet } from '../store/role/fleet.ts'
import type { Gate, Pass } from './gate.ts'
import type { RowTask } from './held-chunk.ts'
import { sizeOf } from './request-size.ts'

/** Lets no more requests of a tenant in than its caps allow: so many in flight, and so many tokens a minute, whatever accounts they go over. */
export interface TenantGate extends Gate {
  /** Looks among how many workers a cap on requests in flight is shared; called at each beat. */
  look(): Promise<void>
}

interface GateDeps {
  readonly workerId: string
  readonly runtime: Pick<Runtime, 'elapsed'>
  readonly share: Share
  readonly fleet: Pick<Fleet, 'members'>
}

/** What of a tenant is under way here. */
interface Use {
  inFlight: number
  /** What is in force of its tokens a minute. */
  tpm: number | null
  /** It has a cap on requests in flight. */
  isCapped: boolean
  /** Somebody was sent away. */
  refused: boolean
}

/** Who shares a cap, in an order that all of them see alike. */
interface Sharers {
  readonly rank: number
  readonly of: number
}

const ALONE: Sharers = Object.freeze({ rank: 0, of: 1 })
/** How often it is looked who else is there. */
const LOOK_MS = 3_000
const ACCOUNT = 'tenant:'

/** Creates the gate of one worker. A fleet keeps tokens a minute together, and deals requests in flight out in equal shares. */
export function createTenantGate({ workerId, runtime, share, fleet }: GateDeps): TenantGate {
  const uses = new Map<number, Use>()
  const estimator = createEstimator()
  const listeners = new Set<() => void>()
  let sharers = ALONE
  let lookedMs = Number.NEGATIVE_INFINITY

  const useOf = (tenantNo: number): Use => {
    const known = uses.get(tenantNo)
    if (known !== undefined) return known
    const use = { inFlight: 0, tpm: null, isCapped: false, refused: false }
    uses.set(tenantNo, use)
    return use
  }
  const tell = () => {
    for (const listener of listeners) listener()
  }
  const leave = (use: Use) => {
    use.inFlight -= 1
    if (!use.refused) return
    use.refused = false
    tell()
  }
  const passOf = (use: Use, task: RowTask, demand: Demand, draw: Draw | null): Pass => {
    const size = sizeOf(task)
    use.inFlight += 1
    return {
      leave(end) {
        draw?.end(end === 'not sent' ? null : end === 'abandoned' ? demand : usedOf(end, demand), null)
        if (typeof end !== 'string' && end.usage.inputTokens > 0) estimator.learn(size, end.usage)
        leave(use)
      },
    }
  }

  return Object.freeze({
    enter(task: RowTask) {
      const { job, caps } = task.held.run
      const use = useOf(job.tenantNo)
      const [concurrency, tpm] = [caps?.concurrency ?? null, caps?.tpm ?? null]
      use.isCapped = concurrency !== null
      if (concurrency !== null && use.inFlight >= shareOf(concurrency, sharers)) {
        use.refused = true
        return null
      }
      const account = `${ACCOUNT}${job.tenantNo}`
      if (tpm !== use.tpm) share.limit(account, { ...NO_LIMITS, tpm })
      use.tpm = tpm
      const demand = estimator.estimate(sizeOf(task))
      const draw = tpm === null ? null : share.take(account, demand)
      return tpm !== null && draw === null ? null : passOf(use, task, demand, draw)
    },
    onRoom(listener: () => void) {
      const leaveShare = share.onRoom((account) => {
        if (account.startsWith(ACCOUNT)) listener()
      })
      listeners.add(listener)
      return () => {
        leaveShare()
        listeners.delete(listener)
      }
    },
    async look() {
      if (![...uses.values()].some(({ isCapped }) => isCapped) || runtime.elapsed() - lookedMs < LOOK_MS) return
      lookedMs = runtime.elapsed()
      const alive = (await fleet.members()).filter(({ gone }) => !gone).map((member) => member.workerId)
      const rank = alive.sort().indexOf(workerId)
      sharers = rank < 0 ? ALONE : { rank, of: alive.length }
      tell()
    },
  } satisfies TenantGate)
}

/** One's part of a cap: all parts are together the cap, unless there are more workers than it has room for; nobody is left with nothing. */
export function shareOf(cap: number, { rank, of }: Sharers): number {
  return Math.max(1, Math.floor((cap * (rank + 1)) / of) - Math.floor((cap * rank) / of))
}

/** What a request took, as far as the provider said: what it turned away has no tokens, what it left open is what was thought. */
function usedOf({ usage, cause }: AttemptFact, thought: Demand): Demand {
  const { inputTokens, outputTokens } = usage
  const wasTold = inputTokens + outputTokens > 0 || cause === 'rate_limited' || cause === 'overloaded'
  return wasTold ? { requests: 1, inputTokens, outputTokens } : thought
}

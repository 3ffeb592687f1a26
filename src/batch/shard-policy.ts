import type { BatchPart, BatchShard } from '../domain/batch.ts'
import type { Priority } from '../domain/job.ts'
import type { Batches } from '../store/role/batches.ts'

/** What a job says of its batches. */
export interface BatchPolicy {
  /** The most requests in a batch; `null`: as many as the provider takes. */
  readonly requests: number | null
  /** The most tokens of input that may wait at the provider; `null`: as many as it takes. */
  readonly queueTokens: number | null
  /** The longest between two looks at a batch, ms. */
  readonly pollMs: number
  /** Of the messages by which its chunks come back. */
  readonly priority: Priority
}

/** What the jobs of a shard say together: of each the narrowest. */
export type ShardPolicy = Omit<BatchPolicy, 'priority'>

/** What is said of shards. Remembered while the shard is out. */
export interface ShardPolicies {
  /** Of the jobs whose parts of a kind these are, which wait. `kindKey`: of tenant and kind. */
  ofKind(kindKey: string, parts: readonly BatchPart[]): Promise<ShardPolicy>
  /** What `ofKind` last said; `null`: nothing yet. */
  lastOf(kindKey: string): ShardPolicy | null
  ofShard(shard: BatchShard): Promise<ShardPolicy>
  forget(shardId: string): void
}

/** Creates the memory of one batcher. */
export function createShardPolicies(
  batches: Pick<Batches, 'partsOf'>,
  policyOf: (jobNo: number) => Promise<BatchPolicy>,
): ShardPolicies {
  const kinds = new Map<string, ShardPolicy>()
  const shards = new Map<string, ShardPolicy>()
  const together = async (parts: readonly BatchPart[]) => {
    const policies: BatchPolicy[] = []
    for (const jobNo of new Set(parts.map((part) => part.jobNo))) policies.push(await policyOf(jobNo))
    return narrowest(policies)
  }
  return Object.freeze({
    async ofKind(kindKey: string, parts: readonly BatchPart[]) {
      const made = await together(parts)
      kinds.set(kindKey, made)
      return made
    },
    lastOf: (kindKey: string) => kinds.get(kindKey) ?? null,
    async ofShard({ id }: BatchShard) {
      const found = shards.get(id)
      if (found !== undefined) return found
      const made = await together(await batches.partsOf(id))
      shards.set(id, made)
      return made
    },
    forget: (shardId: string) => void shards.delete(shardId),
  })
}

function narrowest(policies: readonly ShardPolicy[]): ShardPolicy {
  const least = (values: readonly (number | null)[]) => {
    const given = values.filter((value) => value !== null)
    return given.length === 0 ? null : Math.min(...given)
  }
  return {
    requests: least(policies.map(({ requests }) => requests)),
    queueTokens: least(policies.map(({ queueTokens }) => queueTokens)),
    pollMs: least(policies.map(({ pollMs }) => pollMs)) ?? Number.POSITIVE_INFINITY,
  }
}

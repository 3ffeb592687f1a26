import type { BatchApis } from '../batch/batch-api.ts'
import type { Blob } from '../blob/blob.ts'
import type { Allowance } from '../domain/allowance.ts'
import type { Value } from '../domain/row.ts'
import type { Events } from '../events.ts'
import type { Lane } from '../lane/lane.ts'
import type { Governor } from '../limit/governor.ts'
import type { Share } from '../limit/share.ts'
import type { Post } from '../notify/post.ts'
import type { Models } from '../provider/model.ts'
import type { Queue } from '../queue/queue.ts'
import type { Runtime } from '../runtime.ts'
import type { Store } from '../store/store.ts'

/** What the processes of one machine can tell of each other. */
export interface Presence {
  /** Says that this process works under a worker id, until released. */
  register(workerId: string): Promise<{ release(): Promise<void> }>
  isGone(workerId: string): Promise<boolean>
}

/** The adapters that an engine works with; joined in the composition root. */
export interface EngineDeps {
  readonly runtime: Runtime
  readonly events: Events
  readonly store: Store
  readonly queue: Queue
  readonly blob: Blob
  readonly models: Models
  readonly batchApis: BatchApis
  readonly lane: Lane
  readonly governor: Governor
  readonly share: Share
  readonly tenantNo: number
  /** What specs that come over the network may name. */
  readonly allowance: Allowance
  /** Reads a variable of the environment: for `${NAME}` in specs. */
  readonly env: (name: string) => string | undefined
  /** What paths on the command line are relative to; absolute. */
  readonly cwd: string
  /** Who this process is to the others of its fleet. */
  readonly process: { readonly host: string; readonly pid: number; readonly version: string }
  /** How one machine knows at once that a worker's process is dead; `null`: many machines, where the database tells by the worker's silence. */
  readonly presence: Presence | null
  /** How long a store that cannot be written is waited for; `Infinity`: until it is back. */
  readonly storagePatienceMs: number
  /** Posts what jobs have to tell. */
  readonly post: Post
  readonly writeParquet: (table: ParquetTable) => Promise<unknown>
  /** Undoes `compose`: closes the store, sockets and timers. */
  readonly close: () => Promise<void>
}

export interface ParquetTable {
  readonly path: string
  readonly columns: readonly {
    readonly name: string
    readonly type: 'string' | 'int64' | 'double' | 'boolean' | 'json'
  }[]
  readonly rows: AsyncIterable<readonly Value[]>
}

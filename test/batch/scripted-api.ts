import {
  type ApiAnswer,
  type BatchApi,
  type BatchApis,
  type ListedBatch,
  type ResultLine,
  ResultsCut,
  type ShardOffer,
} from '../../src/batch/batch-api.ts'
import type { BatchKind, BatchSaid } from '../../src/domain/batch.ts'
import { failure } from '../../src/domain/failure.ts'
import { SluiceError } from '../../src/errors.ts'

export type ApiCallName = 'upload' | 'create' | 'poll' | 'list' | 'cancel' | 'results'

/**
 * What befalls one call: `before` it is lost on its way there, `after` on its way back, `refused` for a passing reason, `full` the queue is,
 * `malformed` it can never be taken; `cut` a download breaks in its middle.
 */
export type Mishap = 'before' | 'after' | 'refused' | 'full' | 'malformed' | 'cut'

/** A batch as the provider has it. */
export interface ProviderBatch {
  readonly id: string
  /** As it was given at creation, whether or not the provider tells. */
  readonly shardId: string
  readonly requestIds: readonly string[]
  readonly createdAtMs: number
  phase: BatchSaid['phase']
  end: BatchSaid['end']
  queueFull: boolean
  filesDue: boolean
  /** Its result lines; by default one reply for each request, in reverse order. */
  lines: readonly string[] | null
}

/** A provider that does what a test says. Like real ones, it never forgets, and does a thing as often as it is told to. */
export interface ScriptedApi extends BatchApis {
  readonly batches: ProviderBatch[]
  readonly calls: { readonly call: ApiCallName; readonly shardId: string | null }[]
  readonly files: Set<string>
  /** Asked at each call what befalls it. */
  mishap: (call: ApiCallName) => Mishap | null
  /** Whether it carries names, and whether requests go up as files. */
  named: boolean
  byFile: boolean
  size: BatchApi['size']
  /** Put in by a test: the key is not set. */
  keyMissing: boolean
  /** Brings every batch to its end. */
  endAll(end?: NonNullable<BatchSaid['end']>): void
  /** A batch that somebody else has made. */
  addForeign(total: number, createdAtMs: number): ProviderBatch
}

/** One line of results as this provider writes them: `<id> <status> <body>`, or `<id> none <cause>`. */
export function replyLine(id: string, body = `{"said":"${id}"}`): string {
  return `${id} 200 ${body}`
}

/** Creates a provider without batches. */
export function scriptedApi(now: () => number): ScriptedApi {
  let made = 0
  const provider: ScriptedApi = {
    batches: [],
    calls: [],
    files: new Set(),
    mishap: () => null,
    named: true,
    byFile: true,
    size: { requests: 1_000, bytes: 1_000_000 },
    keyMissing: false,
    open(_kind: Pick<BatchKind, 'target' | 'url' | 'headers'>) {
      if (provider.keyMissing) throw new SluiceError('credentials_missing', 'KEY is not set')
      return api
    },
    endAll(end = 'completed') {
      for (const batch of provider.batches) {
        if (batch.phase === 'ended') continue
        batch.phase = 'ended'
        batch.end = end
      }
    },
    addForeign(total, createdAtMs) {
      const requestIds = Array.from({ length: total }, (_, n) => `foreign-${n}`)
      return addBatch('foreign', requestIds, createdAtMs)
    },
  }
  const addBatch = (shardId: string, requestIds: readonly string[], createdAtMs: number): ProviderBatch => {
    made += 1
    const batch: ProviderBatch = {
      id: `batch_${made}`,
      shardId,
      requestIds,
      createdAtMs,
      phase: 'running',
      end: null,
      queueFull: false,
      filesDue: false,
      lines: null,
    }
    provider.batches.push(batch)
    return batch
  }
  const find = (id: string) => provider.batches.find((batch) => batch.id === id)!
  const ask = async <T>(
    call: ApiCallName,
    shardId: string | null,
    act: () => T | Promise<T>,
  ): Promise<ApiAnswer<T>> => {
    provider.calls.push({ call, shardId })
    const mishap = provider.mishap(call)
    if (mishap === 'refused')
      return { is: 'refused', failure: failure('overloaded', 'busy', { status: 529 }), queueFull: false }
    if (mishap === 'full')
      return { is: 'refused', failure: failure('rate_limited', 'the queue is full', { status: 429 }), queueFull: true }
    if (mishap === 'malformed') {
      return {
        is: 'refused',
        failure: failure('provider_error', 'malformed', { status: 400, retryable: false }),
        queueFull: false,
      }
    }
    const value = mishap === 'before' ? null : await act()
    if (mishap === 'before' || mishap === 'after') return { is: 'unknown', failure: failure('timeout', 'no answer') }
    return { is: 'said', value: value as T }
  }
  const idsOf = async (offer: ShardOffer) => {
    const ids: string[] = []
    for await (const { id } of offer.lines()) ids.push(id)
    return ids
  }

  const api: BatchApi = {
    get size() {
      return provider.size
    },
    lineBytes: 100,
    get takesFiles() {
      return provider.byFile
    },
    get namesShards() {
      return provider.named
    },
    upload: (offer) =>
      ask('upload', offer.id, async () => {
        if (!provider.byFile) return null
        await idsOf(offer)
        const file = `file_${provider.files.size}_${offer.id}`
        provider.files.add(file)
        return file
      }),
    create: (offer, fileId) =>
      ask('create', offer.id, async () => {
        if (provider.byFile !== (fileId !== null)) throw new Error('the file does not fit the provider')
        return saidOf(addBatch(offer.id, await idsOf(offer), now()))
      }),
    async poll(id) {
      if (provider.batches.some((batch) => batch.id === id)) return ask('poll', null, () => saidOf(find(id)))
      const told = failure('provider_error', 'no such batch', { status: 404, retryable: false })
      return { is: 'refused', failure: told, queueFull: false }
    },
    list: () =>
      ask('list', null, () =>
        provider.batches
          .map((batch): ListedBatch => ({ said: saidOf(batch), shardId: provider.named ? batch.shardId : null }))
          .reverse(),
      ),
    cancel: (id) =>
      ask('cancel', null, () => {
        const batch = find(id)
        if (batch.phase !== 'ended') batch.phase = 'cancelling'
        return saidOf(batch)
      }),
    async *results({ batchId }) {
      provider.calls.push({ call: 'results', shardId: null })
      const batch = find(batchId)
      const mishap = provider.mishap('results')
      const lines = batch.lines ?? batch.requestIds.map((id) => replyLine(id)).reverse()
      const upTo = mishap === null ? lines.length : Math.floor(lines.length / 2)
      for (const line of lines.slice(0, upTo)) yield Buffer.from(line)
      if (mishap !== null) throw new ResultsCut(failure('connection', 'cut off'))
    },
    readLine,
    forget: async (fileId) => void provider.files.delete(fileId),
  }
  return provider
}

function saidOf(batch: ProviderBatch): BatchSaid {
  const ended = batch.phase === 'ended'
  return {
    batchId: batch.id,
    phase: batch.phase,
    end: batch.end,
    total: batch.requestIds.length,
    succeeded: null,
    failed: null,
    files: ended && !batch.filesDue ? ['results'] : [],
    ...(ended && batch.filesDue && { filesDue: true }),
    createdAtMs: batch.createdAtMs,
    expiresAtMs: null,
    failure: batch.end === 'failed' ? failure('provider_error', 'the file is no good', { status: 400 }) : null,
    queueFull: batch.queueFull,
  }
}

function readLine(line: Buffer): ResultLine {
  const match = /^(\S+) (\d+|none) (.*)$/.exec(line.toString())
  if (match === null) return { id: null, result: { kind: 'bad', failure: failure('unknown', 'no such line') } }
  const [, id, status, body] = match as unknown as [string, string, string, string]
  if (status === 'none') return { id, result: { kind: 'none', failure: failure('batch_expired', body) } }
  return { id, result: { kind: 'reply', status: Number(status), body, requestId: null } }
}

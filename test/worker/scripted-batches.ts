import type { ApiAnswer, BatchApi, BatchApis, ResultLine, ShardOffer } from '../../src/batch/batch-api.ts'
import type { BatchSaid } from '../../src/domain/batch.ts'
import type { Completion } from '../../src/domain/completion.ts'
import { type Failure, failure } from '../../src/domain/failure.ts'
import type { ModelRequest } from '../../src/domain/request.ts'
import type { BatchDeps } from '../../src/worker/worker-deps.ts'
import type { ScriptedLane } from './scripted-lane.ts'

/** A batch as the scripted provider keeps it. */
export interface ScriptedBatch {
  readonly id: string
  readonly shardId: string
  readonly requests: readonly { readonly id: string; readonly text: string; readonly model: string }[]
  said: BatchSaid
}

/** A batch API that answers with a lane's script, and ends its batches when a test says so. */
export interface ScriptedBatches {
  readonly made: ScriptedBatch[]
  /** While set, no batch ends by itself. */
  held: boolean
  /** What becomes of the lines of a batch's results; by default nothing. */
  spoil: (lines: readonly string[], batch: ScriptedBatch) => readonly string[]
  /** How a batch ends that comes to its end; by default `completed`. */
  ending: (batch: ScriptedBatch) => NonNullable<BatchSaid['end']>
  readonly apis: BatchApis
  readonly models: BatchDeps['models']
}

/** Replies are completions as JSON: what a real model would decode into one. */
export function scriptedBatches(lane: ScriptedLane): ScriptedBatches {
  const made: ScriptedBatch[] = []
  const end = (batch: ScriptedBatch, how: NonNullable<BatchSaid['end']>) => {
    batch.said = { ...batch.said, phase: 'ended', end: how, files: ['results'] }
  }
  const said = <T>(value: T): ApiAnswer<T> => ({ is: 'said', value })
  const batchOf = (id: string) => made.find((batch) => batch.id === id) as ScriptedBatch
  const api: BatchApi = {
    size: { requests: 1_000, bytes: 1_000_000 },
    lineBytes: 10,
    takesFiles: false,
    namesShards: true,
    upload: async () => said(null),
    async create(offer: ShardOffer) {
      const requests: ScriptedBatch['requests'][number][] = []
      for await (const { id, body } of offer.lines()) requests.push({ id, ...JSON.parse(body) })
      const id = `batch-${made.length + 1}`
      const batch = { id, shardId: offer.id, requests, said: { ...RUNNING, batchId: id, total: requests.length } }
      made.push(batch)
      return said(batch.said)
    },
    async poll(id) {
      const batch = batchOf(id)
      const { phase } = batch.said
      if (phase === 'cancelling') end(batch, 'cancelled')
      else if (phase === 'running' && !scripted.held) end(batch, scripted.ending(batch))
      return said(batch.said)
    },
    list: async () => said(made.map((batch) => ({ said: batch.said, shardId: batch.shardId }))),
    async cancel(id) {
      const batch = batchOf(id)
      if (batch.said.phase === 'running') batch.said = { ...batch.said, phase: 'cancelling' }
      return said(batch.said)
    },
    async *results({ batchId }) {
      const batch = batchOf(batchId)
      const lines: string[] = []
      // A batch that did not come to its end has answered the first half.
      const answered = batch.said.end === 'completed' ? batch.requests.length : Math.floor(batch.requests.length / 2)
      for (const { id, text, model } of batch.requests.slice(0, answered)) {
        lines.push(JSON.stringify({ id, reply: await lane.answer(text, model, id) }))
      }
      for (const { id } of batch.requests.slice(answered)) lines.push(JSON.stringify({ id, end: batch.said.end }))
      for (const line of scripted.spoil(lines, batch)) yield Buffer.from(line)
    },
    readLine,
    forget: async () => undefined,
  }
  const scripted: ScriptedBatches = {
    made,
    held: false,
    spoil: (lines) => lines,
    ending: () => 'completed',
    apis: { open: () => api },
    models: {
      open: () => ({
        complete: () => Promise.reject(new Error('the batch lane asks nobody live')),
        preview: () => Promise.reject(new Error('the batch lane previews nothing')),
        encode: async ({ messages, target }: ModelRequest) => ({
          ok: true as const,
          url: `https://provider/${target.id}`,
          headers: {},
          body: JSON.stringify({ text: messages[0]?.text, model: target.id }),
          schemaLevel: null,
        }),
        decode: async (_request, { body }) => JSON.parse(body) as Completion,
      }),
      batchKind: ({ id, baseUrl, apiKeyEnv }, { url, headers, schemaLevel }) => ({
        key: id,
        account: id,
        target: { id, baseUrl, apiKeyEnv },
        url,
        headers,
        schemaLevel,
      }),
    },
  }
  return scripted
}

const RUNNING: Omit<BatchSaid, 'batchId' | 'total'> = {
  phase: 'running',
  end: null,
  succeeded: null,
  failed: null,
  files: [],
  createdAtMs: null,
  expiresAtMs: null,
  failure: null,
  queueFull: false,
}

const CAUSES: Readonly<Record<string, Failure['cause']>> = { expired: 'batch_expired', cancelled: 'cancelled' }

function readLine(line: Buffer): ResultLine {
  try {
    const { id, reply, end } = JSON.parse(line.toString())
    if (reply !== undefined) {
      return { id, result: { kind: 'reply', status: 200, body: JSON.stringify(reply), requestId: null } }
    }
    return { id, result: { kind: 'none', failure: failure(CAUSES[end] ?? 'unknown', `the batch has ${end}`) } }
  } catch {
    return { id: null, result: { kind: 'bad', failure: failure('unknown', 'no line') } }
  }
}

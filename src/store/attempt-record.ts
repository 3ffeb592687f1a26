import type { Selectable } from 'kysely'
import type { AttemptFact, AttemptIntent, KnownAttempt } from '../domain/attempt.ts'
import type { StoredAttempt } from '../domain/stored.ts'
import { hashBytes, hashText, uuidBytes, uuidText } from './bytes.ts'
import type { AttemptsTable } from './schema-ledger.ts'

/** The columns that an intent fills, in the order of `intentValues`. */
export const INTENT_COLUMNS = [
  'job_no',
  'chunk_no',
  'id',
  'epoch',
  'row_index',
  'round',
  'number',
  'model',
  'lane',
  'request_hash',
  'started_at_ms',
  'input_tokens',
  'output_tokens',
  'cost_nano',
  'state',
  'counts',
  'cached_tokens',
  'cache_write_tokens',
  'reasoning_tokens',
  'price_no',
] as const satisfies readonly (keyof AttemptsTable)[]

/** An attempt that is about to be sent, at its worst case. It counts for nothing until it has ended: a crash is not the row's fault. */
export function intentValues(intent: AttemptIntent) {
  return [
    intent.jobNo,
    intent.chunkNo,
    uuidBytes(intent.id),
    intent.epoch,
    intent.rowIndex,
    intent.round,
    intent.number,
    intent.model,
    intent.lane,
    hashBytes(intent.requestHash),
    intent.startedAtMs,
    intent.worstInputTokens,
    intent.worstOutputTokens,
    intent.worstCostNano,
    'open',
    0,
    0,
    intent.worstCacheWriteTokens,
    0,
    intent.priceNo,
  ]
}

/** The columns that a fact fills besides `state`, in the order of `factValues`. */
export const FACT_COLUMNS = [
  'ended_at_ms',
  'cause',
  'message',
  'status',
  'provider_code',
  'provider_request_id',
  'counts',
  'retryable',
  'input_tokens',
  'cached_tokens',
  'cache_write_tokens',
  'output_tokens',
  'reasoning_tokens',
  'cost_nano',
  'reply',
  'price_no',
] as const satisfies readonly (keyof AttemptsTable)[]

/** How an attempt ended. */
export function factValues(fact: AttemptFact) {
  return [
    fact.endedAtMs,
    fact.cause,
    fact.message,
    fact.status,
    fact.providerCode,
    fact.providerRequestId,
    fact.counts ? 1 : 0,
    fact.retryable === undefined ? null : fact.retryable ? 1 : 0,
    fact.usage.inputTokens,
    fact.usage.cachedInputTokens,
    fact.usage.cacheWriteTokens,
    fact.usage.outputTokens,
    fact.usage.reasoningTokens,
    fact.costNano,
    fact.reply,
    fact.intent.priceNo,
  ]
}

/** What of an intent a fact leaves as it is, by its place in `intentValues`. */
const LASTING = INTENT_COLUMNS.flatMap((column, place) =>
  column === 'state' || (FACT_COLUMNS as readonly string[]).includes(column) ? [] : [[column, place] as const],
)

/** The columns of an attempt that is noted only when it has ended, in the order of `entryValues`. */
export const ENTRY_COLUMNS: readonly ((typeof INTENT_COLUMNS)[number] | (typeof FACT_COLUMNS)[number])[] = [
  ...LASTING.map(([column]) => column),
  'state',
  ...FACT_COLUMNS,
]

/** An attempt whose intent was never written: that of a row in a batch stands in its part. */
export function entryValues(fact: AttemptFact) {
  const intent = intentValues(fact.intent)
  return [...LASTING.map(([, place]) => intent[place] ?? null), 'booked', ...factValues(fact)]
}

/** A row of `attempts` as the next step of its row needs it. */
export function knownAttemptOf(row: Selectable<AttemptsTable>): KnownAttempt {
  return {
    id: uuidText(row.id),
    lane: row.lane,
    number: row.number,
    state: row.state,
    cause: row.cause,
    message: row.message,
    counts: row.counts === 1,
    ...(row.retryable !== null && { retryable: row.retryable === 1 }),
    model: row.model,
    reply: row.reply,
    inputTokens: row.input_tokens,
    outputTokens: row.output_tokens,
    costNano: row.cost_nano,
    startedAtMs: row.started_at_ms,
    requestHash: hashText(row.request_hash),
  }
}

/** A row of `attempts` as the ledger shows it. */
export function attemptOf(row: Selectable<AttemptsTable>): StoredAttempt {
  return {
    ...knownAttemptOf(row),
    rowIndex: row.row_index,
    chunkNo: row.chunk_no,
    round: row.round,
    status: row.status,
    providerCode: row.provider_code,
    providerRequestId: row.provider_request_id,
    cachedTokens: row.cached_tokens,
    cacheWriteTokens: row.cache_write_tokens,
    reasoningTokens: row.reasoning_tokens,
    endedAtMs: row.ended_at_ms,
  }
}

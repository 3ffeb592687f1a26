import type { Insertable, Selectable, Updateable } from 'kysely'
import type { BatchKind, BatchPart, BatchShard } from '../domain/batch.ts'
import type { NewPart, ShardChange } from './role/batches.ts'
import { readRowList, writeRowList } from './row-list.ts'
import type { BatchPartsTable, BatchShardsTable } from './schema-batches.ts'

/** A part as the values of a row of `batch_parts`. */
export function newPartValues(part: NewPart): Insertable<BatchPartsTable> {
  return {
    part_id: part.id,
    job_no: part.jobNo,
    chunk_no: part.chunkNo,
    round: part.round,
    tenant_no: part.tenantNo,
    kind_key: part.kind.key,
    state: 'packed',
    shard_id: null,
    place: null,
    row_list: writeRowList(part.rows),
    requests: part.rows.length,
    bytes: part.bytes,
    input_tokens: part.inputTokens,
    worst_nano: part.worst.nano,
    worst_tokens: part.worst.tokens,
    requests_key: part.requestsKey,
    results_key: null,
    results_offset: null,
    results_length: null,
    failure: null,
    packed_at_ms: part.packedAtMs,
  }
}

/** How many values `newPartValues` has. */
export const PART_VALUES = 21

/** Turns rows into parts and shards; kinds are read once. */
interface BatchReading {
  part(row: Selectable<BatchPartsTable> & { readonly kind: string }): BatchPart
  shard(row: Selectable<BatchShardsTable> & { readonly kind: string }): BatchShard
}

/** A reading of one answer of the database. */
export function batchReading(): BatchReading {
  const kinds = new Map<string, BatchKind>()
  const kindOf = (text: string) => {
    const kind = kinds.get(text) ?? (JSON.parse(text) as BatchKind)
    kinds.set(text, kind)
    return kind
  }
  return {
    part: (row) => partOf(row, kindOf(row.kind)),
    shard: (row) => shardOf(row, kindOf(row.kind)),
  }
}

function partOf(row: Selectable<BatchPartsTable>, kind: BatchKind): BatchPart {
  const { results_key: key, results_offset: offset, results_length: length } = row
  return {
    id: row.part_id,
    jobNo: row.job_no,
    chunkNo: row.chunk_no,
    round: row.round,
    kindKey: row.kind_key,
    kind,
    state: row.state,
    shardId: row.shard_id,
    rows: readRowList(row.row_list),
    bytes: row.bytes,
    inputTokens: row.input_tokens,
    worst: { nano: row.worst_nano, tokens: row.worst_tokens },
    requestsKey: row.requests_key,
    results: key === null || offset === null || length === null ? null : { key, offset, length },
    failure: parsed(row.failure),
    packedAtMs: row.packed_at_ms,
  }
}

function shardOf(row: Selectable<BatchShardsTable>, kind: BatchKind): BatchShard {
  return {
    id: row.shard_id,
    tenantNo: row.tenant_no,
    kind,
    state: row.state,
    version: row.version,
    requests: row.requests,
    bytes: row.bytes,
    inputTokens: row.input_tokens,
    worst: { nano: row.worst_nano, tokens: row.worst_tokens },
    hash: row.hash,
    fileId: row.file_id,
    batchId: row.batch_id,
    guessed: row.guessed === 1,
    notBatchIds: JSON.parse(row.not_batch_ids) as readonly string[],
    said: parsed(row.said),
    plannedAtMs: row.planned_at_ms,
    intentAtMs: row.intent_at_ms,
    submitter: row.submitter,
    submittedAtMs: row.submitted_at_ms,
    heardAtMs: row.heard_at_ms,
    nextLookMs: row.next_look_ms,
    endedAtMs: row.ended_at_ms,
    cancelWantedMs: row.cancel_wanted_ms,
    note: row.note,
  }
}

/** A shard as the values of a row of `batch_shards`. */
export function newShardValues(shard: BatchShard): Insertable<BatchShardsTable> {
  return {
    shard_id: shard.id,
    tenant_no: shard.tenantNo,
    kind_key: shard.kind.key,
    account: shard.kind.account,
    state: shard.state,
    version: shard.version,
    requests: shard.requests,
    bytes: shard.bytes,
    input_tokens: shard.inputTokens,
    worst_nano: shard.worst.nano,
    worst_tokens: shard.worst.tokens,
    hash: shard.hash,
    file_id: shard.fileId,
    batch_id: shard.batchId,
    guessed: shard.guessed ? 1 : 0,
    not_batch_ids: JSON.stringify(shard.notBatchIds),
    said: jsonOrNull(shard.said),
    planned_at_ms: shard.plannedAtMs,
    intent_at_ms: shard.intentAtMs,
    submitter: shard.submitter,
    submitted_at_ms: shard.submittedAtMs,
    heard_at_ms: shard.heardAtMs,
    next_look_ms: shard.nextLookMs,
    ended_at_ms: shard.endedAtMs,
    cancel_wanted_ms: shard.cancelWantedMs,
    note: shard.note,
  }
}

/** What a change of a shard writes; what is absent is not written. */
export function changedShardValues(change: ShardChange): Updateable<BatchShardsTable> {
  const values: Updateable<BatchShardsTable> = {}
  if (change.state !== undefined) values.state = change.state
  if (change.fileId !== undefined) values.file_id = change.fileId
  if (change.batchId !== undefined) values.batch_id = change.batchId
  if (change.guessed !== undefined) values.guessed = change.guessed ? 1 : 0
  if (change.notBatchIds !== undefined) values.not_batch_ids = JSON.stringify(change.notBatchIds)
  if (change.said !== undefined) values.said = jsonOrNull(change.said)
  if (change.intentAtMs !== undefined) values.intent_at_ms = change.intentAtMs
  if (change.submitter !== undefined) values.submitter = change.submitter
  if (change.submittedAtMs !== undefined) values.submitted_at_ms = change.submittedAtMs
  if (change.heardAtMs !== undefined) values.heard_at_ms = change.heardAtMs
  if (change.nextLookMs !== undefined) values.next_look_ms = change.nextLookMs
  if (change.endedAtMs !== undefined) values.ended_at_ms = change.endedAtMs
  if (change.note !== undefined) values.note = change.note
  return values
}

function jsonOrNull(value: object | null): string | null {
  return value === null ? null : JSON.stringify(value)
}

function parsed<T>(json: string | null): T | null {
  return json === null ? null : (JSON.parse(json) as T)
}

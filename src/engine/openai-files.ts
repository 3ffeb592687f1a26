import { errorLine, outputLine } from '../chat/result-line.ts'
import { resultColumns } from '../delivery/result-columns.ts'
import { type ResultRow, resultRows } from '../delivery/result-table.ts'
import type { ChatAnswer, ChatKind } from '../domain/chat.ts'
import type { Job } from '../domain/job.ts'
import type { RowTokens, StoredOutcome } from '../domain/stored.ts'
import { NO_USAGE, type Usage } from '../domain/usage.ts'
import { sha256 } from '../runtime.ts'
import type { OpenAiBatch } from '../store/role/openai-batches.ts'
import type { Store } from '../store/store.ts'
import type { EngineDeps } from './engine-deps.ts'
import type { FileDesk } from './file-desk.ts'
import { readRows, specOf } from './job-parts.ts'
import { batchKind } from './openai-check.ts'

const PAGE = 500
/** Characters of text that are written at once. */
const TEXT_BLOCK = 1 << 16

/** The ids of a batch's files; `null`: it has none. */
export interface BatchFileIds {
  readonly outputFileId: string | null
  readonly errorFileId: string | null
}

/**
 * Writes the files of a batch whose job is over: the answers, and for every other request why it has none, each in input order. Written again after a crash
 * they are the same: a file that is whole stays, one that is not is begun anew. Memory does not grow with the batch.
 */
export async function writeBatchFiles(
  deps: EngineDeps,
  files: FileDesk,
  batch: OpenAiBatch,
  job: Job,
  { outputFileId, errorFileId }: BatchFileIds,
  signal: AbortSignal,
): Promise<void> {
  const kind = batchKind(batch)
  const write = async (id: string | null, name: string, lines: AsyncIterable<string>) => {
    if (id === null) return
    const file = { id, name: `${batch.id}_${name}.jsonl`, keptMs: batch.filesKeptMs }
    await writeFile(files, file, blocks(lines, signal), signal)
  }
  await write(outputFileId, 'output', outputLines(deps, batch, job, kind))
  await write(errorFileId, 'error', errorLines(deps, batch, job))
}

async function writeFile(
  files: FileDesk,
  { id, name, keptMs }: { readonly id: string; readonly name: string; readonly keptMs: number | null },
  bytes: AsyncIterable<Buffer>,
  signal: AbortSignal,
): Promise<void> {
  const file = await files.add({ id, purpose: 'batch_output', name, expiresAtMs: null })
  if (keptMs !== null) await files.expireAt(id, file.createdAtMs + keptMs)
  if (file.state === 'ready') return
  if (file.bytes > 0 || file.state === 'refused') await files.reopen(id)
  await files.append(id, 0, bytes, { maxBytes: Number.MAX_SAFE_INTEGER, signal })
  await files.finish(id, { bytes: null, sha256: null })
}

async function* blocks(lines: AsyncIterable<string>, signal: AbortSignal): AsyncGenerator<Buffer> {
  let block = ''
  for await (const line of lines) {
    block += line
    if (block.length < TEXT_BLOCK) continue
    signal.throwIfAborted()
    yield Buffer.from(block)
    block = ''
  }
  if (block !== '') yield Buffer.from(block)
}

async function* outputLines(
  { store }: EngineDeps,
  batch: OpenAiBatch,
  job: Job,
  kind: ChatKind,
): AsyncGenerator<string> {
  const usageOfPage = rowUsage(store, job)
  for (let from = 0; ; ) {
    const page = await store.rows.list(job.jobNo, from, PAGE, ['succeeded'])
    const usageOf = await usageOfPage(page)
    for (const outcome of page)
      yield outputLine(kind, { ...answerOf(outcome), ...factsOf(batch, outcome), usage: usageOf(outcome) })
    const last = page.at(-1)
    if (last === undefined || page.length < PAGE) return
    from = last.rowIndex + 1
  }
}

function answerOf({ output }: StoredOutcome): ChatAnswer {
  const { answer, finish_reason, refusal } = JSON.parse(output ?? '{}') as Partial<ChatAnswer>
  return { answer: answer ?? null, finish_reason: finish_reason ?? 'stop', refusal: refusal ?? null }
}

/** Tells what outcomes used, page by page in row order: the ledger of each chunk is read once. */
function rowUsage({ attempts }: Pick<Store, 'attempts'>, { jobNo }: Job) {
  const nameOf = ({ rowIndex, round }: Pick<RowTokens, 'rowIndex' | 'round'>) => `${rowIndex}/${round}`
  let known = new Map<string, RowTokens>()
  let readTo = -1
  return async (page: readonly StoredOutcome[]): Promise<(outcome: StoredOutcome) => Usage> => {
    const [first, last] = [page.at(0), page.at(-1)]
    if (first === undefined || last === undefined) return () => NO_USAGE
    const chunks = { from: Math.max(first.chunkNo, readTo + 1), to: last.chunkNo }
    if (chunks.from <= chunks.to) {
      const left = [...known.values()].filter(({ rowIndex }) => rowIndex >= first.rowIndex)
      const more = await attempts.tokensOf(jobNo, chunks)
      known = new Map([...left, ...more].map((tokens) => [nameOf(tokens), tokens]))
      readTo = last.chunkNo
    }
    return (outcome) => {
      const { inputTokens, outputTokens } = outcome
      const { cachedTokens = 0, cacheWriteTokens = 0, reasoningTokens = 0 } = known.get(nameOf(outcome)) ?? {}
      return { inputTokens, cachedInputTokens: cachedTokens, cacheWriteTokens, outputTokens, reasoningTokens }
    }
  }
}

function factsOf(batch: OpenAiBatch, outcome: StoredOutcome) {
  return {
    customId: outcome.rowId,
    token: tokenOf(batch, outcome.rowIndex),
    model: outcome.model ?? '',
    createdAt: Math.floor(outcome.endedAtMs / 1000),
  }
}

/** Names a row's line for ever, so that a file that is written again is the same. */
function tokenOf({ id }: OpenAiBatch, rowIndex: number): string {
  return sha256(`${id} ${rowIndex}`).slice(0, 32)
}

async function* errorLines(deps: EngineDeps, batch: OpenAiBatch, job: Job): AsyncGenerator<string> {
  const { store } = deps
  const spec = await specOf(deps, job)
  const source = {
    job,
    spec,
    store,
    readRows: (chunk: Parameters<typeof readRows>[3]) => readRows(deps, job, spec, chunk),
  }
  const names = resultColumns(spec, job.input, false).map(({ name }) => name)
  const textOf = ({ values }: ResultRow, name: string) => {
    const value = values[names.indexOf(name)] ?? null
    return value === null ? null : String(value)
  }
  for await (const rows of resultRows(source, { only: null, includeInput: false })) {
    for (const row of rows) {
      if (row.status === 'ok') continue
      const unanswered = whyNot(batch, row.status, textOf(row, '_error'), textOf(row, '_error_message'))
      yield errorLine({ customId: textOf(row, '_row_id') ?? '', token: tokenOf(batch, row.index), ...unanswered })
    }
  }
}

const CANCELLED = { code: 'batch_cancelled', message: 'This request was not executed before the batch was cancelled.' }
const EXPIRED = {
  code: 'batch_expired',
  message: 'This request could not be executed before the completion window expired.',
}
const FAILED = { code: 'batch_failed', message: 'This request was not executed before the batch failed.' }

/** Why a request has no answer: the cause of its failure, or what ended the batch first. */
function whyNot(batch: OpenAiBatch, status: ResultRow['status'], cause: string | null, message: string | null) {
  if (status === 'failed') return { code: cause ?? 'unknown', message: message ?? 'nobody knows why' }
  if (batch.expiredAtMs !== null) return EXPIRED
  return batch.cancellingAtMs !== null || status === 'cancelled' ? CANCELLED : FAILED
}

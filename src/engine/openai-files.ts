import { errorLine, outputLine } from '../chat/result-line.ts'
import { resultColumns } from '../delivery/result-columns.ts'
import { type ResultRow, resultRows } from '../delivery/result-table.ts'
import type { ChatAnswer, ChatKind } from '../domain/chat.ts'
import type { Job } from '../domain/job.ts'
import type { StoredOutcome } from '../domain/stored.ts'
import { sha256 } from '../runtime.ts'
import type { OpenAiBatch } from '../store/role/openai-batches.ts'
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
    if (id !== null) await writeFile(files, { id, name: `${batch.id}_${name}.jsonl` }, blocks(lines, signal), signal)
  }
  await write(outputFileId, 'output', outputLines(deps, batch, job, kind))
  await write(errorFileId, 'error', errorLines(deps, batch, job))
}

async function writeFile(
  files: FileDesk,
  { id, name }: { readonly id: string; readonly name: string },
  bytes: AsyncIterable<Buffer>,
  signal: AbortSignal,
): Promise<void> {
  const file = await files.add({ id, purpose: 'batch_output', name, expiresAtMs: null })
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
  for (let from = 0; ; ) {
    const page = await store.rows.list(job.jobNo, from, PAGE, ['succeeded'])
    for (const outcome of page) yield outputLine(kind, { ...answerOf(outcome), ...factsOf(batch, outcome) })
    const last = page.at(-1)
    if (last === undefined || page.length < PAGE) return
    from = last.rowIndex + 1
  }
}

function answerOf({ output }: StoredOutcome): ChatAnswer {
  const { answer, finish_reason, refusal } = JSON.parse(output ?? '{}') as Partial<ChatAnswer>
  return { answer: answer ?? null, finish_reason: finish_reason ?? 'stop', refusal: refusal ?? null }
}

function factsOf(batch: OpenAiBatch, outcome: StoredOutcome) {
  return {
    customId: outcome.rowId,
    token: tokenOf(batch, outcome.rowIndex),
    model: outcome.model ?? '',
    inputTokens: outcome.inputTokens,
    outputTokens: outcome.outputTokens,
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

import type { BatchSaid } from '../domain/batch.ts'
import type { ApiCall, Told } from './api-call.ts'
import { pathOf } from './api-setting.ts'
import type { BatchApi } from './batch-api.ts'
import { readOpenAiLine } from './openai-line.ts'
import { resultLines } from './result-line.ts'

interface FileBatches {
  readonly call: ApiCall
  readonly base: string
  /** The URL of a batch. */
  readonly one: (batchId: string) => string
  readonly read: (told: Told) => BatchSaid | null
}

/** What OpenAI's way and Mistral's share: batches that are asked about and cancelled alike, and results in files whose lines are of one kind. */
export function fileBatchVerbs({ call, base, one, read }: FileBatches) {
  const fileUrl = (fileId: string) => `${base}/files/${pathOf(fileId)}`
  return {
    takesFiles: true,
    namesShards: true,
    poll: (batchId, signal) => call.ask({ method: 'GET', url: one(batchId) }, read, signal),
    cancel: (batchId, signal) => call.ask({ method: 'POST', url: `${one(batchId)}/cancel`, body: '{}' }, read, signal),
    async *results(said, signal) {
      for (const file of said.files) yield* resultLines(call.download(`${fileUrl(file)}/content`, signal))
    },
    readLine: (line) => readOpenAiLine(line, call),
    async forget(fileId, signal) {
      await call.ask({ method: 'DELETE', url: fileUrl(fileId) }, () => true, signal)
    },
  } satisfies Partial<BatchApi>
}

import { type BatchError, createBatchCheck } from '../chat/batch-check.ts'
import { kindOf, modelIn, requestIn } from '../chat/batch-line.ts'
import type { ChatFault, ChatKind, ChatParts } from '../domain/chat.ts'
import { SluiceError } from '../errors.ts'
import { createSchemaCheck } from '../row/request-column.ts'
import { boundedLines } from './bounded-lines.ts'
import type { FileDesk } from './file-desk.ts'

/** What OpenAI takes in one batch. */
export const BATCH_LINES_MOST = 50_000
export const BATCH_BYTES_MOST = 200 * 1024 * 1024
/** Errors that are listed of one file. */
const ERRORS_MOST = 100

/** A batch of which only the name of its endpoint is written down. */
export function batchKind({ id, endpoint }: { readonly id: string; readonly endpoint: string }): ChatKind {
  const kind = kindOf(endpoint)
  if (kind === null) throw new SluiceError('internal', `${id} was written down for ${endpoint}`)
  return kind
}

/** The model that the first request of a file names; `null`: that is none that names one. */
export async function firstModel(files: FileDesk, fileId: string): Promise<string | null> {
  let at = 0
  for await (const line of boundedLines(files.read(fileId))) {
    at += 1
    if (line === null) return null
    const request = requestIn(line, at)
    if (request !== null) return modelIn(request)
  }
  return null
}

/**
 * All that is wrong with the file of a batch, as far as it is listed; empty where it can be asked. `hasJob`: the model of its first request is to be had. Rejects with the signal's reason when that aborts.
 */
export async function checkBatchFile(
  files: FileDesk,
  batch: { readonly inputFileId: string; readonly kind: ChatKind; readonly hasJob: boolean },
  signal: AbortSignal,
): Promise<readonly BatchError[]> {
  const { inputFileId, kind, hasJob } = batch
  const isModelKnown = hasJob || (await firstModel(files, inputFileId)) === null
  const schemaFault = createSchemaCheck()
  const faultOf = ({ model, schema }: ChatParts): ChatFault | null => {
    if (!isModelKnown) return unknownModel(model)
    const fault = schema === null ? null : schemaFault(schema)
    return fault === null
      ? null
      : { code: 'invalid_json_schema', message: `Invalid schema: ${fault}.`, param: `body.${FORMATS[kind]}` }
  }
  const check = createBatchCheck({ kind, linesMost: BATCH_LINES_MOST, errorsMost: ERRORS_MOST, faultOf })
  for await (const line of boundedLines(files.read(inputFileId))) {
    signal.throwIfAborted()
    if (!check.take(line)) break
  }
  const checked = check.end()
  return checked.ok ? [] : checked.errors
}

const FORMATS: Readonly<Record<ChatKind, string>> = Object.freeze({
  chat_completions: 'response_format',
  responses: 'text.format',
})

function unknownModel(model: string): ChatFault {
  const name = JSON.stringify(model.slice(0, 100))
  return {
    code: 'model_not_found',
    message: `The model ${name} does not exist, or is not to be had here.`,
    param: 'body.model',
  }
}

import type { ChatFault, ChatKind, ChatParts } from '../domain/chat.ts'
import { readLine, requestIn } from './batch-line.ts'

/** An error of a batch's input file, as OpenAI lists them under `errors.data`. */
export interface BatchError {
  readonly code: string
  /** From 1; `null`: of the file as a whole. */
  readonly line: number | null
  readonly message: string
  readonly param: string | null
}

/** What checking a whole file came to. */
export type CheckedFile =
  | { readonly ok: true; readonly lines: number; readonly model: string }
  | { readonly ok: false; readonly errors: readonly BatchError[] }

export interface BatchCheckOptions {
  readonly kind: ChatKind
  /** Requests in one file. */
  readonly linesMost: number
  /** Errors that are listed. */
  readonly errorsMost: number
  /** What else is wrong with what a line asks for, by whoever knows models and schemas; `null`: nothing. */
  readonly faultOf: (parts: ChatParts) => ChatFault | null
}

/** Takes the lines of a file one after the other. */
export interface BatchCheck {
  /** `null`: the line is longer than one may be. Returns whether there is any sense in going on. */
  take(bytes: Uint8Array | null): boolean
  end(): CheckedFile
}

/**
 * Checks the input file of a batch line by line: JSON, `custom_id` (there, and once), method, address, the same model in all lines, and whether each body
 * asks for nothing that cannot be done. Holds the ids of the lines in memory, and nothing else of them.
 */
export function createBatchCheck({ kind, linesMost, errorsMost, faultOf }: BatchCheckOptions): BatchCheck {
  const firstLines = new Map<string, number>()
  const errors: BatchError[] = []
  let line = 0
  let requests = 0
  let model: string | null = null
  const add = ({ code, message, param }: ChatFault) => {
    errors.push({ code, line, message, param })
  }

  const takeRequest = (bytes: Uint8Array | null) => {
    if (bytes === null) return add(TOO_LONG)
    const reading = readLine(bytes, kind)
    const customId = reading.ok ? reading.line.customId : reading.customId
    const before = customId === null ? undefined : firstLines.get(customId)
    if (customId !== null && before === undefined) firstLines.set(customId, line)
    if (!reading.ok) return add(reading.fault)
    if (before !== undefined) return add(duplicate(before))
    const { parts } = reading.line
    model ??= parts.model
    const fault = parts.model === model ? faultOf(parts) : MODEL_MISMATCH
    if (fault !== null) add(fault)
  }

  return Object.freeze({
    take(bytes: Uint8Array | null) {
      line += 1
      const request = bytes === null ? null : requestIn(bytes, line)
      if (request === null && bytes !== null) return true
      requests += 1
      if (requests <= linesMost) takeRequest(request)
      else
        errors.push({
          code: 'too_many_tasks',
          line: null,
          message: `The batch file holds more than ${linesMost} requests.`,
          param: null,
        })
      return requests <= linesMost && errors.length < errorsMost
    },
    end(): CheckedFile {
      if (errors.length > 0) return { ok: false, errors }
      return model === null ? { ok: false, errors: [EMPTY] } : { ok: true, lines: requests, model }
    },
  })
}

const TOO_LONG: ChatFault = { code: 'invalid_json_line', message: 'This line is too long.', param: null }

const MODEL_MISMATCH: ChatFault = {
  code: 'model_mismatch',
  message: 'The model of this request is not that of the first one: all requests of a batch must name the same model.',
  param: 'body.model',
}

const EMPTY: BatchError = { code: 'empty_file', line: null, message: 'The batch file holds no requests.', param: null }

function duplicate(before: number): ChatFault {
  const message = `The custom_id of this request stands on line ${before} already.`
  return { code: 'duplicate_custom_id', message, param: 'custom_id' }
}

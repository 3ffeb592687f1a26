import type { Failure } from '../domain/failure.ts'
import { isRecord, numberIn, textIn } from '../provider/json.ts'
import type { ApiCall } from './api-call.ts'
import type { ResultLine } from './batch-api.ts'
import { badLine, endedLine, objectIn, repliedLine } from './result-line.ts'

/**
 * A line of OpenAI's output or error file, and of those who copied it: `response` with a status and a body; or none, and an `error` that says why.
 * Servers were seen to write a status of 0 for requests that nobody knows the end of.
 */
export function readOpenAiLine(line: Buffer, call: Pick<ApiCall, 'failureIn'>): ResultLine {
  const fields = objectIn(line)
  if (fields === null) return badLine(null, 'a line of the results is no JSON object')
  const id = textIn(fields, 'custom_id')
  const { response, error } = fields
  if (isRecord(response)) {
    const status = numberIn(response, 'status_code')
    if (status === null || !isStatus(status))
      return badLine(id, `the batch says of a request that it ended with HTTP ${status}`)
    return repliedLine(id, status, response.body, textIn(response, 'request_id'))
  }
  if (!isRecord(error) && typeof error !== 'string')
    return badLine(id, 'a line of the results has neither answer nor error')
  const code = textIn(error, 'code') ?? ''
  if (code === 'batch_expired') return endedLine(id, 'expired')
  if (/^batch_cancell?ed$|^cancell?ed$/.test(code)) return endedLine(id, 'cancelled')
  return { id, result: { kind: 'none', failure: whyNone(code, error, call) } }
}

/** Nobody has said that the request is wrong: there is no answer to it. */
function whyNone(code: string, error: unknown, call: Pick<ApiCall, 'failureIn'>): Failure {
  const told = call.failureIn(typeof error === 'string' ? { message: error } : error)
  if (code === 'request_timeout') return { ...told, cause: 'timeout', retryable: true }
  return { ...told, retryable: told.retryable || told.cause === 'provider_error' }
}

function isStatus(status: number): boolean {
  return Number.isInteger(status) && status >= 100 && status <= 599
}

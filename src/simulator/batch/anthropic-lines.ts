import { anthropicMessages } from '../anthropic-messages.ts'
import { pick } from '../draw.ts'
import { isRecord } from '../schema.ts'
import type { BatchRow, LineFormat } from './line-format.ts'
import { objectOf } from './survey.ts'

const FAILURES = [
  { type: 'api_error', message: 'Internal server error', status: 500 },
  { type: 'overloaded_error', message: 'Overloaded', status: 529 },
  { type: 'timeout_error', message: 'Request timed out', status: 504 },
] as const

/** Anthropic's requests `{custom_id, params}` and results `{custom_id, result}`: errors come without a status, and what was not asked is told of. */
export const anthropicLines: LineFormat = Object.freeze({
  splitsErrors: false,
  losesExpired: false,
  read: (line) => {
    const { custom_id, params } = objectOf(line)
    if (!isRecord(params)) throw new SyntaxError('expected params')
    return { customId: typeof custom_id === 'string' ? custom_id : null, body: params, path: '/v1/messages' }
  },
  shape: () => anthropicMessages,
  result: (row, { status, body }) =>
    status === 200 ? resultLine(row, `{"type":"succeeded","message":${body}}`) : errored(row, body),
  failure: (row, seq, _facts, draw) => {
    const { status, ...error } = pick(draw, FAILURES)
    return { line: errored(row, JSON.stringify({ type: 'error', error, request_id: `req_sim${seq}` })), status }
  },
  unasked: (row, _seq, end) => resultLine(row, end === 'expired' ? '{"type":"expired"}' : '{"type":"canceled"}'),
} satisfies LineFormat)

function errored(row: BatchRow, error: string): string {
  return resultLine(row, `{"type":"errored","error":${error}}`)
}

/** Written out: the result is JSON already. */
function resultLine({ customId }: BatchRow, result: string): string {
  return `{"custom_id":${JSON.stringify(customId)},"result":${result}}`
}

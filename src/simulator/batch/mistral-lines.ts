import { pick } from '../draw.ts'
import { openAiChat } from '../openai-chat.ts'
import { isRecord } from '../schema.ts'
import type { BatchRow, LineFormat, RowReply } from './line-format.ts'
import { objectOf } from './survey.ts'

const FAILURES = [
  { status: 500, message: 'Service unavailable.', type: 'unreachable_backend', code: '1100' },
  {
    status: 429,
    message: 'Service tier capacity exceeded for this model.',
    type: 'service_tier_capacity_exceeded',
    code: '3505',
  },
] as const

/** Mistral's lines: `{custom_id, body}`, the model is the job's. What never had its turn leaves no line. */
export const mistralLines: LineFormat = Object.freeze({
  splitsErrors: true,
  losesExpired: false,
  read: (line, { model, endpoint }) => {
    const { custom_id, body } = objectOf(line)
    if (!isRecord(body)) throw new SyntaxError('expected a body')
    const customId = typeof custom_id === 'string' || typeof custom_id === 'number' ? String(custom_id) : null
    // The job's model in its usual place, first: the same request then draws as the same live one does.
    return { customId, body: model === '' ? body : Object.assign({ model }, body, { model }), path: endpoint }
  },
  shape: () => openAiChat,
  result: (row, reply, { id }) => outputLine(row, reply, id),
  failure: (row, seq, { id }, draw) => {
    const { status, ...error } = pick(draw, FAILURES)
    const body = JSON.stringify({ object: 'error', param: null, ...error })
    return { line: outputLine(row, { status, body, seq }, id), status }
  },
  unasked: () => null,
} satisfies LineFormat)

/** Written out: the body is JSON already. */
function outputLine({ customId }: BatchRow, { status, body, seq }: RowReply, batchId: string): string {
  return `{"id":"batch-${batchId.slice(0, 8)}-${seq}","custom_id":${JSON.stringify(customId)},"response":{"status_code":${status},"body":${body}},"error":null}`
}

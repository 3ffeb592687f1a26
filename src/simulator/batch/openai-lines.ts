import type { Shape } from '../ask.ts'
import { pick } from '../draw.ts'
import { openAiChat } from '../openai-chat.ts'
import { openAiResponses } from '../openai-responses.ts'
import { isRecord } from '../schema.ts'
import type { BatchRow, LineFormat, RowReply } from './line-format.ts'
import { objectOf } from './survey.ts'

/** OpenAI's lines: `{custom_id, method, url, body}`; answers in one file, whatever else became of a request in another. */
export const openAiLines: LineFormat = Object.freeze({
  splitsErrors: true,
  losesExpired: false,
  read: (line, { endpoint }) => {
    const { custom_id, url, body } = objectOf(line)
    if (!isRecord(body)) throw new SyntaxError('expected a body')
    return {
      customId: typeof custom_id === 'string' && custom_id !== '' ? custom_id : null,
      body,
      path: typeof url === 'string' ? url : endpoint,
    }
  },
  shape: chatOrResponses,
  result: (row, reply) => outputLine(row, reply.seq, responseOf(reply), 'null'),
  failure: (row, seq, _facts, draw) => {
    const kind = pick(draw, ['server_error', 'overloaded', 'timeout', 'no_status'] as const)
    if (kind === 'timeout') {
      const message = 'The underlying call to the model timed out.'
      return { line: outputLine(row, seq, 'null', JSON.stringify({ code: 'request_timeout', message })), status: 0 }
    }
    const none = { status: 0, body: '{}' }
    const { status, body } = kind === 'no_status' ? none : chatOrResponses(row).refuse({ kind }, `sim${seq}`)
    return { line: outputLine(row, seq, responseOf({ status, body, seq }), 'null'), status }
  },
  unasked: (row, seq, end) => {
    const error =
      end === 'expired'
        ? { code: 'batch_expired', message: 'This request could not be executed before the completion window expired.' }
        : { code: 'batch_cancelled', message: 'This request was not executed because the batch was cancelled.' }
    return outputLine(row, seq, 'null', JSON.stringify(error))
  },
} satisfies LineFormat)

function chatOrResponses({ path }: BatchRow): Shape {
  return path.endsWith('/responses') ? openAiResponses : openAiChat
}

function responseOf({ status, body, seq }: RowReply): string {
  return `{"status_code":${status},"request_id":"req_sim${seq}","body":${body}}`
}

/** Written out: the body is JSON already. */
function outputLine({ customId }: BatchRow, seq: number, response: string, error: string): string {
  return `{"id":"batch_req_sim${seq}","custom_id":${JSON.stringify(customId)},"response":${response},"error":${error}}`
}

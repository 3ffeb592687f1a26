import { pick } from '../draw.ts'
import { gemini } from '../gemini.ts'
import { isRecord } from '../schema.ts'
import type { BatchRow, LineFormat } from './line-format.ts'
import { objectOf } from './survey.ts'

/** gRPC's numbers for the states in which Google puts errors (google.rpc.Code). */
const CODES: Readonly<Record<string, number>> = {
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
}

const FAILURES = [
  { code: 13, message: 'Internal error encountered.', status: 500 },
  { code: 14, message: 'The model is overloaded. Please try again later.', status: 503 },
  { code: 4, message: 'Deadline expired before operation could complete.', status: 504 },
] as const

/** Gemini's lines `{key, request}` and `{key, response}` or `{key, error}`, where the error is a `google.rpc.Status`: no HTTP status, a gRPC number. */
export const geminiLines: LineFormat = Object.freeze({
  splitsErrors: false,
  losesExpired: true,
  read: (line, { model }) => {
    const { key, request } = objectOf(line)
    if (!isRecord(request)) throw new SyntaxError('expected a request')
    const path = `/models/${encodeURIComponent(model || 'any')}:generateContent`
    return { customId: typeof key === 'string' ? key : null, body: request, path }
  },
  shape: () => gemini,
  result: (row, { status, body }) =>
    status === 200 ? `{"response":${body},"key":${keyOf(row)}}` : errorLine(row, statusOf(body)),
  failure: (row, _seq, _facts, draw) => {
    const { status, ...error } = pick(draw, FAILURES)
    return { line: errorLine(row, error), status }
  },
  unasked: () => null,
} satisfies LineFormat)

function keyOf({ customId }: BatchRow): string {
  return JSON.stringify(customId)
}

function errorLine(row: BatchRow, error: { readonly code: number; readonly message: string }): string {
  return `{"error":${JSON.stringify(error)},"key":${keyOf(row)}}`
}

/** The `google.rpc.Status` of what the live endpoint would say with an HTTP status. */
function statusOf(body: string): { readonly code: number; readonly message: string } {
  const { error } = objectOf(body)
  const { status = '', message = '' } = isRecord(error) ? error : {}
  return { code: CODES[String(status)] ?? 2, message: String(message) }
}

import { ERRORS, type ErrorCode, SluiceError } from '../../errors.ts'

/** An error as OpenAI tells it. */
export interface OpenAiErrorBody {
  readonly error: {
    readonly message: string
    readonly type: string
    readonly param: string | null
    readonly code: string | null
  }
}

/** Codes of OpenAI for errors that have one there; others keep ours. */
const CODES: Partial<Readonly<Record<ErrorCode, string | null>>> = Object.freeze({
  unauthorized: 'invalid_api_key',
  scope_missing: 'insufficient_permissions',
  rate_limited: 'rate_limit_exceeded',
  route_not_found: 'unknown_url',
  internal: null,
})

/** The parts of a request that say nothing of a single parameter. */
const WHOLE_PARTS: ReadonlySet<string> = new Set(['body', 'query', 'path', 'headers'])

/** An error in the shape, and with the status, in which OpenAI's clients know it. Of a defect it says nothing but that there is one. */
export function openAiError(error: SluiceError): { readonly status: number; readonly body: OpenAiErrorBody } {
  const { code, place } = error
  const { httpStatus } = ERRORS[code]
  // What OpenAI refuses of a request that can be read is a 400 too.
  const status = httpStatus === 422 ? 400 : httpStatus
  const param = place === null || WHOLE_PARTS.has(place.file) ? null : place.file
  const own = CODES[code]
  return {
    status,
    body: {
      error: { message: sentence(messageOf(error)), type: typeOf(status), param, code: own === undefined ? code : own },
    },
  }
}

/** The refusal of one parameter. */
export function invalidParam(param: string, message: string): SluiceError {
  return new SluiceError('request_invalid', message, { place: { file: param, line: null, column: null } })
}

function typeOf(status: number): string {
  if (status >= 500) return 'server_error'
  return status === 429 ? 'rate_limit_error' : 'invalid_request_error'
}

/** The shape has one message: it holds all that was found. */
function messageOf({ message, findings }: SluiceError): string {
  return findings.length > 1 ? findings.map((finding) => finding.message).join('; ') : message
}

function sentence(message: string): string {
  return `${message.slice(0, 1).toUpperCase()}${message.slice(1)}${/[.!?]$/.test(message) ? '' : '.'}`
}

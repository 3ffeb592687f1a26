import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import { StorageFailure } from '../domain/storage-failure.ts'
import { ERRORS, type ErrorCode, type Finding, findingJson, SluiceError } from '../errors.ts'
import { nullable, oneOfTexts, ref } from './answer.ts'
import { openAiError } from './openai/openai-error.ts'

/** A finding as all JSON of the API tells it. */
export const FINDING = Type.Object(
  {
    severity: oneOfTexts(['error', 'warning', 'ok']),
    place: nullable(
      Type.Object({
        file: Type.String({ description: 'The part of the request, or the name of the file.' }),
        line: nullable(Type.Integer()),
        column: nullable(Type.Integer()),
      }),
    ),
    message: Type.String(),
    hint: nullable(Type.String({ description: 'What to do.' })),
  },
  { $id: 'Finding', description: 'One thing that is wrong, or worth knowing.' },
)

/** What every error of the native routes says (RFC 9457). */
export const PROBLEM = Type.Object(
  {
    type: Type.String({ description: '`urn:sluice:error:` and the code.' }),
    title: Type.String({ description: 'What kind of error it is.' }),
    status: Type.Integer(),
    detail: Type.String({ description: 'What happened, with its own names and places.' }),
    code: Type.String({ description: 'For programs; see docs/errors.md.' }),
    hint: Type.String({ description: 'What to do.' }),
    errors: Type.Array(ref(FINDING), {
      description: 'Everything that is wrong, where there is more to say.',
    }),
    instance: Type.String({ description: '`urn:uuid:` and the id of the request, as in `X-Request-Id`.' }),
  },
  { $id: 'Problem' },
)

export type Problem = Static<typeof PROBLEM>

/** The error of the catalogue that `error` is, or stands for. What is not known is `internal`, and tells nothing of its inside. */
export function asKnown(error: unknown): SluiceError {
  if (error instanceof SluiceError) return error
  if (error instanceof StorageFailure) {
    const what = error.kind === 'full' ? 'the store has no room left' : 'the store does not answer as it should'
    return new SluiceError('storage', what, { hint: 'Try again in a moment.', cause: error })
  }
  const { code = '', statusCode } = error as Partial<FastifyError>
  const known = FRAMEWORK_ERRORS[code]
  if (known !== undefined) return new SluiceError(known.code, known.message, { cause: error })
  // Whatever else the framework refuses as the caller's mistake.
  if (code.startsWith('FST_') && statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return new SluiceError('request_invalid', 'the request cannot be read', { cause: error })
  }
  return new SluiceError('internal', 'something went wrong inside of the server', {
    hint: 'Try again; if it stays so, report it with the id of the request.',
    cause: error,
  })
}

/** Refusals of the framework, in our words. */
const FRAMEWORK_ERRORS: Readonly<Record<string, { readonly code: ErrorCode; readonly message: string }>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: { code: 'body_too_large', message: 'the body is too large' },
  FST_ERR_CTP_INVALID_MEDIA_TYPE: { code: 'media_type', message: 'the body is of a type that the route does not take' },
  FST_ERR_CTP_INVALID_JSON_BODY: { code: 'request_invalid', message: 'the body is no JSON' },
  FST_ERR_CTP_EMPTY_JSON_BODY: { code: 'request_invalid', message: 'the body is empty, and JSON was announced' },
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: { code: 'request_invalid', message: 'the body is not as long as announced' },
  FST_ERR_HANDLER_TIMEOUT: { code: 'overloaded', message: 'the answer took too long' },
  FST_ERR_BAD_URL: { code: 'request_invalid', message: 'the address cannot be read' },
  FST_ERR_MAX_PARAM_LENGTH: { code: 'request_invalid', message: 'a part of the address is too long' },
}

/** An error as the body of an answer. Holds nothing of rows, and of a defect nothing but that there is one. */
export function problemOf(error: SluiceError, requestId: string): Problem {
  const { title } = ERRORS[error.code]
  const own = error.place === null ? [] : [ownFinding(error)]
  return {
    type: `urn:sluice:error:${error.code}`,
    title,
    status: statusOf(error),
    detail: error.message,
    code: error.code,
    hint: hintOf(error),
    errors: (error.findings.length > 0 ? error.findings : own).map(findingJson),
    instance: `urn:uuid:${requestId}`,
  }
}

/** What to do, where the catalogue's own words name a command. */
const HTTP_HINTS: Readonly<Partial<Record<ErrorCode, string>>> = {
  spec_invalid: 'Correct what is named, here or under `errors`.',
  job_not_found: 'See `GET /api/v1/jobs`.',
  job_state: 'See `GET /api/v1/jobs/{id}`.',
  job_key_conflict: 'Use another job_key, or the same spec and input.',
  plan_stale: 'Make a new plan.',
  storage: 'Try again in a moment.',
}

/** Whoever asks by HTTP has all findings already, and no command line. */
function hintOf({ code, hint }: SluiceError): string {
  return hint === ERRORS[code].hint ? (HTTP_HINTS[code] ?? hint) : hint
}

function statusOf({ code, cause }: SluiceError): number {
  return cause instanceof StorageFailure && cause.kind === 'full' ? 507 : ERRORS[code].httpStatus
}

function ownFinding({ place, message, hint }: SluiceError): Finding {
  return { severity: 'error', place, message, hint }
}

/** Headers that belong to an error, whatever shape its body has. */
export function errorHeaders(error: SluiceError): Readonly<Record<string, string>> {
  switch (error.code) {
    case 'unauthorized':
      return { 'www-authenticate': 'Bearer realm="sluice"' }
    case 'storage':
    case 'overloaded':
      return { 'retry-after': '5' }
    case 'idempotency_in_flight':
      return { 'retry-after': '1' }
    default:
      return {}
  }
}

/** Answers with an error in the shape that the route's callers know. */
export function sendError(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const known = asKnown(error)
  const headers = Object.entries(errorHeaders(known)).filter(([name]) => !reply.hasHeader(name))
  void reply.headers(Object.fromEntries(headers)).serializer((body: unknown) => JSON.stringify(body))
  const isOpenAi = request.routeOptions.config.errors === 'openai' || request.url.startsWith('/v1/')
  if (isOpenAi) {
    const { status, body } = openAiError(known)
    return reply.code(status).type('application/json; charset=utf-8').send(body)
  }
  const problem = problemOf(known, request.id)
  return reply.code(problem.status).type('application/problem+json').send(problem)
}

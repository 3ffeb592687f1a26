import { type Failure, failure } from '../domain/failure.ts'
import { isRecord, parseJson } from './json.ts'
import { cleanMessage, isHtml } from './message.ts'
import { findError, type Problem, type Quota, readProblem } from './problem.ts'
import { type Rule, ruleFor } from './rule.ts'
import { isSuccess, textOf, type WireReply } from './wire.ts'

/** A reply that is no answer, with what more is known of it than its failure. */
export interface Refusal {
  readonly failure: Failure
  /** The wait that the body asks for, in ms. */
  readonly bodyWaitMs: number | null
  /** The limit that the body says was reached. */
  readonly quota: Quota | null
  /** The server will not take the output schema; asked without, it may answer. */
  readonly aboutSchema: boolean
  /** The server will not take the service tier; asked without, it may answer. */
  readonly aboutTier: boolean
}

/** The failure in a reply whose status says that there is one. The provider's codes come before anything its status suggests. */
export function classifyRefusal(rules: readonly Rule[], reply: WireReply, secret: string | null): Refusal {
  const { status } = reply
  if (status >= 300 && status <= 399) {
    const target = redirectTarget(reply.headers.location)
    const message = `redirected${target}; set model.base_url to the final address`
    return {
      failure: failure('provider_error', message, { status, retryable: false }),
      bodyWaitMs: null,
      quota: null,
      aboutSchema: false,
      aboutTier: false,
    }
  }
  return refusalOf(rules, readProblem(status, textOf(reply)), status, secret)
}

/**
 * The failure in a reply that came with a good status and yet could not be read as an answer: an error inside a 200, an event
 * stream, a web page, nothing, broken JSON, or JSON of another shape.
 */
export function classifyOddReply(rules: readonly Rule[], reply: WireReply, secret: string | null): Refusal {
  const body = textOf(reply)
  const odd = (message: string, retryable: boolean): Refusal => ({
    failure: failure('provider_error', message, { status: reply.status, retryable }),
    bodyWaitMs: null,
    quota: null,
    aboutSchema: false,
    aboutTier: false,
  })
  if (body.trim() === '') return odd('the reply is empty', true)
  if (isHtml(body)) return odd(`the reply is ${cleanMessage(body, secret)}; is model.base_url right?`, true)
  const parsed = parseJson(body)
  if (parsed === undefined) {
    const type = reply.headers['content-type'] ?? ''
    if (type.startsWith('text/event-stream') || /^(?:event|data|id|retry|):/.test(body))
      return odd('the reply is an event stream, though none was asked for', false)
    return odd('the reply is not JSON, or was cut short', true)
  }
  const error = findError(parsed)
  if (error === null) return odd('the reply has a shape that is no answer of this API; is model.base_url right?', false)
  return classifyHeldError(rules, error, reply.status, secret)
}

/** The failure in an error object that came inside an otherwise good reply. Its own status, where it has one, decides. */
export function classifyHeldError(
  rules: readonly Rule[],
  error: unknown,
  status: number,
  secret: string | null,
): Refusal {
  const problem = readProblem(heldStatus(error) ?? status, JSON.stringify({ error }))
  return refusalOf(rules, problem, status, secret)
}

function heldStatus(error: unknown): number | null {
  if (!isRecord(error)) return null
  const held = [error.status, error.code].find((value) => Number.isInteger(value) && !isSuccess(value as number))
  return (held as number | undefined) ?? null
}

function refusalOf(rules: readonly Rule[], problem: Problem, status: number, secret: string | null): Refusal {
  const rule = ruleFor(rules, problem)
  const told = failure(rule.cause, describe(problem, secret), {
    status,
    providerCode: problem.codes[0] ?? null,
    retryAfterMs: problem.retryAfterMs,
    retryable: rule.retryable ?? true,
  })
  const { retryAfterMs: bodyWaitMs, quota } = problem
  return {
    failure: told,
    bodyWaitMs,
    quota,
    aboutSchema: rule.aboutSchema === true,
    aboutTier: rule.aboutTier === true,
  }
}

/** `HTTP 429 rate_limit_exceeded: Rate limit reached for …` */
function describe(problem: Problem, secret: string | null): string {
  const code = problem.codes.find((text) => text !== String(problem.status))
  const head = [isSuccess(problem.status) ? null : `HTTP ${problem.status}`, code]
    .filter((part) => part != null)
    .join(' ')
  const said = cleanMessage(problem.message, secret)
  if (said === '') return head === '' ? 'an error without a word' : head
  return cleanMessage(head === '' ? said : `${head}: ${said}`, secret)
}

/** The origin only: the rest of an address may hold a key. */
function redirectTarget(location: string | undefined): string {
  const url = location === undefined ? null : URL.parse(location)
  return url === null ? '' : ` to ${url.origin}`
}

import { isRecord, listIn, parseJson, recordIn, textIn } from './json.ts'
import { isHtml } from './message.ts'
import { parseSeconds } from './retry-after.ts'

/** What a reply says went wrong, in one shape for all providers. */
export interface Problem {
  readonly status: number
  /** Error codes, types and reasons in it, in lower case, the most telling first. */
  readonly codes: readonly string[]
  /** As the provider wrote it; empty where it wrote nothing. */
  readonly message: string
  /** The wait that the body asks for, in ms. */
  readonly retryAfterMs: number | null
  /** The limit that it says was reached. */
  readonly quota: Quota | null
}

/** A limit as google.rpc.QuotaFailure names it. */
export interface Quota {
  readonly kind: 'requests' | 'inputTokens' | 'outputTokens' | 'tokens'
  readonly limit: number
  readonly windowMs: number
}

/**
 * Reads the error in a body: `{"error": …}` of OpenAI, Anthropic, Google and their kin, `{"message"}`, `{"detail"}`, lists of
 * these, plain text, a web page or nothing. Never throws.
 */
export function readProblem(status: number, body: string): Problem {
  const parsed = isHtml(body) ? undefined : parseJson(body)
  const problem = findError(parsed)
  if (problem === null) {
    return {
      status,
      codes: [],
      message: typeof parsed === 'object' ? '' : body,
      retryAfterMs: waitIn(body),
      quota: null,
    }
  }
  const message = messageIn(problem)
  const retryAfterMs = waitInDetails(problem) ?? waitIn(message)
  return { status, codes: codesIn(problem), message, retryAfterMs, quota: quotaIn(problem) }
}

/** The object or text in a parsed body that describes an error, or `null` where there is none. */
export function findError(parsed: unknown): unknown {
  if (Array.isArray(parsed)) return parsed.length > 0 ? findError(parsed[0]) : null
  if (!isRecord(parsed)) return null
  const { error, errors, message, detail } = parsed
  if (isRecord(error)) return error
  if (typeof error === 'string' && error !== '') return { ...parsed, message: error }
  if (Array.isArray(errors) && errors.length > 0) return errors[0]
  return message !== undefined || detail !== undefined ? parsed : null
}

function messageIn(problem: unknown): string {
  if (typeof problem === 'string') return problem
  const upstream = textIn(recordIn(problem, 'metadata'), 'raw')
  const said = textIn(problem, 'message') ?? textIn(problem, 'detail')
  if (said !== null) return upstream === null ? said : `${said}: ${upstream}`
  // FastAPI's list of what is wrong with the request; Mistral nests its message.
  const listed = listIn(problem, 'detail').map((item) => textIn(item, 'msg'))
  const nested = listIn(recordIn(problem, 'message'), 'detail').map((item) => textIn(item, 'msg'))
  const all = [...listed, ...nested].filter((text) => text !== null)
  return all.join('; ')
}

function codesIn(problem: unknown): readonly string[] {
  if (!isRecord(problem)) return []
  const details = listIn(problem, 'details')
  const violations = details.flatMap((detail) => listIn(detail, 'violations'))
  const found: unknown[] = [
    problem.code,
    recordIn(problem, 'innererror').code,
    ...details.map((detail) => textIn(detail, 'reason')),
    ...violations.map((violation) => textIn(violation, 'quotaId')),
    problem.status,
    problem.type,
    problem.error_type,
  ]
  const codes = found.filter((code) => (typeof code === 'string' && code !== '') || typeof code === 'number')
  const unique = [...new Set(codes.map((code) => String(code).toLowerCase()))]
  const isNumber = (code: string) => /^\d+$/.test(code)
  return [...unique.filter((code) => !isNumber(code)), ...unique.filter(isNumber)]
}

/** The first limit in google.rpc.QuotaFailure that has a figure: `GenerateContentPaidTierInputTokensPerModelPerMinute`, say, and `"1000000"`. */
function quotaIn(problem: unknown): Quota | null {
  for (const violation of listIn(problem, 'details').flatMap((detail) => listIn(detail, 'violations'))) {
    const [id, value] = [textIn(violation, 'quotaId') ?? '', textIn(violation, 'quotaValue') ?? '']
    const window = /Per(Minute|Day)/.exec(id)?.[1]
    if (window === undefined || !/^[1-9]\d{0,14}$/.test(value)) continue
    const kind = /InputToken/.test(id)
      ? 'inputTokens'
      : /OutputToken/.test(id)
        ? 'outputTokens'
        : /Token/.test(id)
          ? 'tokens'
          : 'requests'
    return { kind, limit: Number(value), windowMs: window === 'Day' ? 86_400_000 : 60_000 }
  }
  return null
}

/** google.rpc.RetryInfo, which neither the AI SDK nor OpenAI's own SDK reads. */
function waitInDetails(problem: unknown): number | null {
  for (const detail of listIn(problem, 'details')) {
    const delay = textIn(detail, 'retryDelay')
    if (delay !== null) return parseSeconds(delay)
  }
  return null
}

/** “Please try again in 26.604s”, as OpenAI, Groq and Gemini write it. */
function waitIn(message: string): number | null {
  const match = /(?:try again|retry) in ((?:\d+(?:\.\d+)?(?:ms|[hms]))+)/i.exec(message.slice(0, 2000))
  return match === null ? null : parseSeconds(match[1] as string)
}

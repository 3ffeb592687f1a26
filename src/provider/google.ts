import { BY_STATUS, type Rule, SCHEMA_REFUSED, TIER_REFUSED } from './rule.ts'

/**
 * Gemini's errors (ai.google.dev/gemini-api/docs/troubleshooting), by google.rpc code and ErrorInfo reason. “You exceeded your
 * current quota” is also what a limit per minute says here: only a quota per day, a limit of 0 or spent credit is an end.
 */
export const GOOGLE_RULES: readonly Rule[] = [
  TIER_REFUSED,
  { code: ['api_key_invalid', 'api_key_expired', 'service_disabled', 'consumer_suspended'], cause: 'credentials' },
  {
    status: [400, 401, 403],
    says: /api key (?:not valid|expired|not found)|location is not supported/i,
    cause: 'credentials',
  },
  {
    status: [429],
    says: /\blimit: 0\b|per day|prepa(?:id|yment)|credits? (?:are|is) depleted/i,
    cause: 'quota_exhausted',
  },
  { status: [429], code: /perday/, cause: 'quota_exhausted' },
  { code: ['billing_disabled'], cause: 'quota_exhausted' },
  { status: [400], says: /billing/i, cause: 'quota_exhausted' },
  {
    status: [400, 413],
    says: /token count.{0,60}exceeds|exceeds the maximum (?:number of tokens|allowed)|request payload size exceeds/i,
    cause: 'context_too_long',
    retryable: false,
  },
  { code: ['resource_exhausted'], cause: 'rate_limited' },
  { code: ['permission_denied', 'unauthenticated', 'not_found'], cause: 'credentials' },
  { code: ['unavailable'], cause: 'overloaded' },
  { code: ['deadline_exceeded'], cause: 'timeout' },
  { code: ['aborted', 'cancelled', 'internal', 'unknown'], cause: 'provider_error' },
  { status: [400], says: SCHEMA_REFUSED, cause: 'provider_error', retryable: false, aboutSchema: true },
  ...BY_STATUS,
]

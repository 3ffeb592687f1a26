import { BY_STATUS, type Rule, SCHEMA_REFUSED } from './rule.ts'

/** Anthropic's errors (docs.claude.com/en/api/errors): the type decides, where there is one. */
export const ANTHROPIC_RULES: readonly Rule[] = [
  { code: ['billing_error'], cause: 'quota_exhausted' },
  {
    status: [400, 402, 403, 429],
    says: /credit balance|(?:usage|spend(?:ing)?) limits?\b.*(?:reached|regain)|reached your specified/i,
    cause: 'quota_exhausted',
  },
  { code: ['overloaded_error'], cause: 'overloaded' },
  // Seen with 500 api_error too, where the real state is the same.
  { says: /^overloaded$/i, cause: 'overloaded' },
  { code: ['rate_limit_error'], cause: 'rate_limited' },
  { code: ['request_too_large'], cause: 'context_too_long', retryable: false },
  {
    status: [400, 413],
    says: /prompt is too long|exceeds? (?:the )?(?:model'?s? )?context (?:limit|window)|input (?:is|length).{0,40}too long|input tokens exceeded/i,
    cause: 'context_too_long',
    retryable: false,
  },
  { status: [400], says: /content filter/i, cause: 'content_filtered', retryable: false },
  { code: ['authentication_error', 'permission_error', 'not_found_error'], cause: 'credentials' },
  { code: ['timeout_error'], cause: 'timeout' },
  // Bedrock's native route, for the same models.
  { status: [400], says: /model identifier is invalid/i, cause: 'credentials' },
  { status: [400, 422], says: SCHEMA_REFUSED, cause: 'provider_error', retryable: false, aboutSchema: true },
  ...BY_STATUS,
]

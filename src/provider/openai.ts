import { BY_STATUS, type Rule, SCHEMA_REFUSED, TIER_REFUSED } from './rule.ts'

/**
 * OpenAI's errors, for chat completions and responses alike (platform.openai.com/docs/guides/error-codes). Codes come before
 * statuses: a 429 may be an empty account, which waiting never mends, or a request larger than the whole limit.
 */
export const OPENAI_CODES: readonly Rule[] = [
  TIER_REFUSED,
  {
    code: ['insufficient_quota', 'billing_hard_limit_reached', 'billing_not_active', 'billing_limit_user_error'],
    cause: 'quota_exhausted',
  },
  {
    status: [400, 402, 403, 429],
    says: /exceeded your current quota|billing hard limit|insufficient (?:balance|credit|funds)/i,
    cause: 'quota_exhausted',
  },
  {
    status: [413, 429],
    says: /request too large|tokens must be reduced/i,
    cause: 'context_too_long',
    retryable: false,
  },
  { code: ['context_length_exceeded', 'string_above_max_length'], cause: 'context_too_long', retryable: false },
  {
    status: [400, 413, 422],
    says: /maximum context length|context (?:window|length|size)|too many (?:input |prompt )?tokens|input is too long/i,
    cause: 'context_too_long',
    retryable: false,
  },
  {
    code: [
      'content_filter',
      'content_policy_violation',
      'responsibleaipolicyviolation',
      'invalid_prompt',
      'moderation_blocked',
    ],
    cause: 'content_filtered',
    retryable: false,
  },
  {
    code: [
      'invalid_api_key',
      'model_not_found',
      'invalid_organization',
      'unsupported_country_region_territory',
      'deploymentnotfound',
    ],
    cause: 'credentials',
  },
  { code: ['server_overloaded', 'engine_overloaded', 'slow_down'], cause: 'overloaded' },
  // Flex without room for more: no limit of the account (guides/flex-processing: “429 Resource Unavailable”, not charged).
  { status: [429], code: ['resource_unavailable'], cause: 'overloaded' },
  { status: [429], says: /resources? (?:is |are )?(?:currently |temporarily )?unavailable/i, cause: 'overloaded' },
  { code: ['rate_limit_exceeded', 'requests', 'tokens'], status: [200, 429], cause: 'rate_limited' },
  { code: ['server_error'], status: [200], cause: 'provider_error' },
  { status: [400, 422], says: SCHEMA_REFUSED, cause: 'provider_error', retryable: false, aboutSchema: true },
]

/** The table for OpenAI itself. */
export const OPENAI_RULES: readonly Rule[] = [...OPENAI_CODES, ...BY_STATUS]

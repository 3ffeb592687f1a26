/** The closed list of causes (contract §3). A failure is a value; it is classified once, where it is seen. */
export const CAUSES = [
  'rate_limited',
  'overloaded',
  'timeout',
  'connection',
  'provider_error',
  'credentials',
  'quota_exhausted',
  'context_too_long',
  'content_filtered',
  'refused',
  'truncated',
  'invalid_json',
  'schema_invalid',
  'check_failed',
  'template_error',
  'input_unreadable',
  'row_budget',
  'batch_expired',
  'chunk_failed',
  'cancelled',
  'unknown',
] as const

export type Cause = (typeof CAUSES)[number]

/**
 * What a failure of one request uses up:
 * `free` nothing (it is asked again, however often) · `retries` one of `execution.retries` ·
 * `on_invalid` one of `output.on_invalid.attempts` · `never` it is not asked again · `pause` the job stops, the row stays pending.
 */
export type RetryRule = 'free' | 'retries' | 'on_invalid' | 'never' | 'pause'

export interface CauseRule {
  /** Whose fault it is: at which of the three levels the failure stands. */
  readonly level: 'row' | 'chunk' | 'job'
  readonly retry: RetryRule
  /** What it means, for `sluice failed` and the docs. */
  readonly meaning: string
  /** What the user can do. */
  readonly advice: string
}

/** The one table: for each cause its level, what a retry uses up, and what the user can do. */
export const CAUSE_RULES: Readonly<Record<Cause, CauseRule>> = Object.freeze({
  rate_limited: {
    level: 'job',
    retry: 'free',
    meaning: 'the provider asked to slow down',
    advice: 'Nothing: it is waited out. Lower execution.concurrency.max if it goes on.',
  },
  overloaded: {
    level: 'job',
    retry: 'free',
    meaning: 'the provider had no capacity',
    advice: 'Nothing: it is waited out.',
  },
  timeout: {
    level: 'row',
    retry: 'retries',
    meaning: 'no answer within execution.timeout.request',
    advice: 'Raise execution.timeout.request, or shorten the prompt or max_output_tokens.',
  },
  connection: {
    level: 'row',
    retry: 'retries',
    meaning: 'the connection broke',
    advice: 'Check the network and model.base_url, then `sluice retry --cause connection`.',
  },
  provider_error: {
    level: 'row',
    retry: 'retries',
    meaning: 'the provider answered with an error of its own, or refused the request as malformed',
    advice: 'Read the message; `sluice retry --cause provider_error` once it is mended.',
  },
  credentials: {
    level: 'job',
    retry: 'pause',
    meaning: 'the key is missing, wrong, or may not use this model',
    advice: 'Set the variable named by model.api_key_env to a valid key, then `sluice resume`.',
  },
  quota_exhausted: {
    level: 'job',
    retry: 'pause',
    meaning: 'the account has no credit left',
    advice: 'Add credit at the provider, then `sluice resume`.',
  },
  context_too_long: {
    level: 'row',
    retry: 'never',
    meaning: "the prompt does not fit the model's context",
    advice: 'Shorten it with `| truncate_tokens: N`, or name a model.fallback with a longer context.',
  },
  content_filtered: {
    level: 'row',
    retry: 'never',
    meaning: "the provider's filter blocked the prompt or the answer",
    advice: 'Look at the row; another model may take it: `sluice retry --cause content_filtered --model …`.',
  },
  refused: {
    level: 'row',
    retry: 'never',
    meaning: 'the model declined to answer',
    advice: 'Reword the prompt, or `sluice retry --cause refused --model …`.',
  },
  truncated: {
    level: 'row',
    retry: 'on_invalid',
    meaning: 'the answer was cut off at max_output_tokens',
    advice: 'Raise model.params.max_output_tokens, then `sluice retry --cause truncated --spec current`.',
  },
  invalid_json: {
    level: 'row',
    retry: 'on_invalid',
    meaning: 'the answer is not JSON, and could not be repaired',
    advice: 'Try a stronger model: `sluice retry --cause invalid_json --model …`.',
  },
  schema_invalid: {
    level: 'row',
    retry: 'on_invalid',
    meaning: 'the answer does not fit the output schema',
    advice: 'Widen the schema, or `sluice retry --cause schema_invalid --model …`.',
  },
  check_failed: {
    level: 'row',
    retry: 'on_invalid',
    meaning: 'the answer fits the schema but fails one of output.checks',
    advice: 'Look at the check and at the answers that failed it.',
  },
  template_error: {
    level: 'row',
    retry: 'never',
    meaning: 'the prompt could not be rendered for this row',
    advice: 'Mend the template or the row, then `sluice retry --cause template_error --spec current`.',
  },
  input_unreadable: {
    level: 'row',
    retry: 'never',
    meaning: 'the line could not be read',
    advice: 'Mend the line that the message names, and run again.',
  },
  row_budget: {
    level: 'row',
    retry: 'never',
    meaning: 'the next request would pass budget.row_tokens',
    advice: 'Raise budget.row_tokens, or shorten the prompt.',
  },
  batch_expired: {
    level: 'row',
    retry: 'free',
    meaning: "the provider's batch ended before this row was answered",
    advice: 'Nothing: it is sent again.',
  },
  chunk_failed: {
    level: 'chunk',
    retry: 'never',
    meaning: 'the workers holding its chunk died execution.chunk_attempts times, and none of its rows ended in between',
    advice: 'Look for what kills the worker (memory?), then `sluice retry --cause chunk_failed`.',
  },
  cancelled: {
    level: 'job',
    retry: 'never',
    meaning: 'the job was cancelled first',
    advice: '`sluice retry --cause cancelled` takes it up again.',
  },
  unknown: {
    level: 'row',
    retry: 'retries',
    meaning: 'nothing that sluice knows',
    advice: 'Read the message, and report it: every failure should have a name.',
  },
})

/** One failure of a request or a row. `message` is safe to show: it holds no key, and of the row at most what the provider quoted. */
export interface Failure {
  readonly cause: Cause
  readonly message: string
  /** HTTP status, where one was seen. */
  readonly status: number | null
  /** The provider's own error code or type, for support. */
  readonly providerCode: string | null
  /** How long the provider asked to wait, in ms; `null` when it did not say. */
  readonly retryAfterMs: number | null
  /** `false`: whatever the cause's rule says, asking the same again cannot help (a 400, a request larger than the whole limit). */
  readonly retryable: boolean
}

/** A failure with the usual values filled in. */
export function failure(
  cause: Cause,
  message: string,
  more: Partial<Omit<Failure, 'cause' | 'message'>> = {},
): Failure {
  return { cause, message, status: null, providerCode: null, retryAfterMs: null, retryable: true, ...more }
}

/** Whether `text` is a cause of the closed list. */
export function isCause(text: string): text is Cause {
  return (CAUSES as readonly string[]).includes(text)
}

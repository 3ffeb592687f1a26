/** What a response said about the account's limits, read from headers before the body was decoded. Unknown is `null`. */
export interface LimitSignal {
  readonly requests: LimitWindow | null
  readonly tokens: LimitWindow | null
  readonly inputTokens: LimitWindow | null
  readonly outputTokens: LimitWindow | null
  /** From Retry-After, retry-after-ms or the provider's body, in ms. */
  readonly retryAfterMs: number | null
}

export interface LimitWindow {
  readonly limit: number | null
  readonly remaining: number | null
  /** Until the limit is whole again, in ms from the response. */
  readonly resetMs: number | null
  /** The window in ms that `limit` counts over, as that provider counts it. */
  readonly windowMs: number
}

/** A limit of a provider's account: so many of what, over which time in ms. */
export interface LimitFigure {
  readonly kind: 'requests' | 'tokens' | 'inputTokens' | 'outputTokens'
  readonly limit: number
  readonly windowMs: number
}

const WORDS: Readonly<Record<LimitFigure['kind'], string>> = {
  requests: 'requests',
  tokens: 'tokens',
  inputTokens: 'input tokens',
  outputTokens: 'output tokens',
}

/** `600 requests a minute`, `2,000,000 input tokens a day`. */
export function limitText({ kind, limit, windowMs }: LimitFigure): string {
  const per = windowMs === 60_000 ? 'a minute' : windowMs === 86_400_000 ? 'a day' : `in ${durationText(windowMs)}`
  return `${Math.round(limit).toLocaleString('en-US')} ${WORDS[kind]} ${per}`
}

/** A stretch of time as one reads it in a sentence: `46 s`, `7 minutes`, `5 hours`. */
export function durationText(ms: number): string {
  const seconds = Math.round(ms / 1000)
  if (seconds < 120) return `${seconds} s`
  const minutes = Math.round(seconds / 60)
  return minutes < 120 ? `${minutes} minutes` : `${Math.round(minutes / 60)} hours`
}

import type { Cause } from '../domain/failure.ts'
import { durationText, limitText } from '../domain/limit-text.ts'
import type { Down } from '../limit/governor.ts'

/** What a provider does that answers nothing. */
const DOES: Partial<Readonly<Record<Cause, string>>> = {
  rate_limited: 'has turned every request away as one too many (429)',
  overloaded: 'has turned every request away for want of capacity (503)',
  provider_error: 'has answered every request with an error of its own',
  timeout: 'has answered no request in time',
  connection: 'could not be reached',
}

/** One sentence for the user: why the job pauses with `provider_down`. */
export function whyDown(modelId: string, { cause, forMs, waitMs, limit }: Down): string {
  if (waitMs !== null && limit !== null) {
    return `${modelId}: the limit of ${limitText(limit)} is used up; there is room again in ${durationText(waitMs)}`
  }
  if (waitMs !== null) return `${modelId} asks to wait for ${durationText(waitMs)}`
  const does = cause === null ? undefined : DOES[cause]
  return `${modelId} ${does ?? 'has answered nothing'} for ${durationText(forMs)}`
}

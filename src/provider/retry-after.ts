/**
 * A wait as providers write it, in ms: Go durations (`6m0s`, `12ms`, `1h2m3.5s`), protobuf ones (`31s`) or bare seconds
 * (`2`, `0.5`). `null` where the text is none of these.
 */
export function parseSeconds(text: string): number | null {
  const trimmed = text.trim()
  if (/^\d+(?:\.\d+)?$/.test(trimmed)) return Math.ceil(Number(trimmed) * 1000)
  if (!/^(?:\d+(?:\.\d+)?(?:ms|us|µs|ns|[hms]))+$/.test(trimmed)) return null
  let ms = 0
  for (const [, amount, unit] of trimmed.matchAll(/(\d+(?:\.\d+)?)(ms|us|µs|ns|[hms])/g)) {
    ms += Number(amount) * (UNIT_MS[unit as string] ?? 0)
  }
  return Math.ceil(ms)
}

const UNIT_MS: Readonly<Record<string, number>> = {
  h: 3_600_000,
  m: 60_000,
  s: 1000,
  ms: 1,
  us: 1e-3,
  µs: 1e-3,
  ns: 1e-6,
}

/** A moment (RFC 3339, or the date of HTTP) as the ms from `nowMs` until then, never below 0; `null` where the text is no date. */
export function parseMoment(text: string, nowMs: number): number | null {
  // A bare number would pass as a year.
  if (!/\d{4}-\d\d-\d\d|\d{2} \w{3} \d{4}/.test(text)) return null
  const at = Date.parse(text)
  return Number.isNaN(at) ? null : Math.max(0, at - nowMs)
}

/** What `retry-after-ms` or `retry-after` (seconds or a date, RFC 9110 §10.2.3) asks for, in ms; `null` where neither stands. */
export function retryAfterIn(headers: Readonly<Record<string, string>>, nowMs: number): number | null {
  const exact = headers['retry-after-ms']
  if (exact !== undefined && /^\d+(?:\.\d+)?$/.test(exact.trim())) return Math.ceil(Number(exact))
  const text = headers['retry-after']
  if (text === undefined) return null
  return parseSeconds(text) ?? parseMoment(text, nowMs)
}

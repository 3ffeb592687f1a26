import { SluiceError } from '../errors.ts'
import type { WorkWatch } from './observe-work.ts'

const DEFAULT_SHARE = 0.01

/**
 * What any process that works on jobs is asked to tell by variables: `SLUICE_LOG_ROWS=1`, `SLUICE_TRACES_URL` (OTLP over HTTP) and
 * `SLUICE_TRACE_SHARE`. Throws SluiceError `usage`.
 */
export function askedByVariables(env: (name: string) => string | undefined): WorkWatch {
  const tracesUrl = env('SLUICE_TRACES_URL') ?? null
  if (tracesUrl !== null && !/^https?:\/\//.test(tracesUrl))
    throw unfit('SLUICE_TRACES_URL', 'an address: http://collector:4318/v1/traces')
  const traceShare = Number(env('SLUICE_TRACE_SHARE') ?? DEFAULT_SHARE)
  if (!(traceShare >= 0 && traceShare <= 1)) throw unfit('SLUICE_TRACE_SHARE', 'a number from 0 to 1')
  return { rowLines: env('SLUICE_LOG_ROWS') === '1', tracesUrl, traceShare }
}

function unfit(variable: string, expected: string): SluiceError {
  return new SluiceError('usage', `${variable}: expected ${expected}`, { hint: 'Set it so, or unset it.' })
}

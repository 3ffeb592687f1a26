import type { RequestSize } from '../limit/estimate.ts'
import type { RowTask } from './held-chunk.ts'

/** How large a row's next request can be. Requests of one job to one model are alike. */
export function sizeOf({ held, next }: RowTask): RequestSize {
  const { worstInputTokens, worstOutputTokens, fallbackIndex } = next
  return { group: `${held.claim.jobNo}/${fallbackIndex}`, worstInputTokens, worstOutputTokens }
}

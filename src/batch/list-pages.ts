import { failure } from '../domain/failure.ts'
import type { ApiAnswer, ListedBatch } from './batch-api.ts'

/** One page of an account's batches. */
export interface ListPage {
  readonly found: readonly ListedBatch[]
  /** Asks for the page after this one; `null`: it is the last. */
  readonly next: string | null
}

/** More pages than an account can have made batches in the days that count. */
const MOST_PAGES = 500

/**
 * All batches from page to page, until one was created before `sinceMs`; `null`: until the last, for pages that are in no known order. Whatever keeps
 * it from being all of them is an answer of its own: a list with a hole would say that a batch is not there.
 */
export async function listPages(
  sinceMs: number | null,
  page: (cursor: string | null) => Promise<ApiAnswer<ListPage>>,
): Promise<ApiAnswer<readonly ListedBatch[]>> {
  const all: ListedBatch[] = []
  let cursor: string | null = null
  for (let count = 0; count < MOST_PAGES; count += 1) {
    const answer: ApiAnswer<ListPage> = await page(cursor)
    if (answer.is !== 'said') return answer
    const { found, next } = answer.value
    all.push(...found)
    const isOld = ({ said }: ListedBatch) => sinceMs !== null && said.createdAtMs !== null && said.createdAtMs < sinceMs
    if (next === null || found.some(isOld)) return { is: 'said', value: all.sort(newestFirst) }
    if (next === cursor) break
    cursor = next
  }
  return { is: 'unknown', failure: failure('provider_error', 'the list of batches does not end') }
}

function newestFirst(a: ListedBatch, b: ListedBatch): number {
  return (b.said.createdAtMs ?? 0) - (a.said.createdAtMs ?? 0)
}

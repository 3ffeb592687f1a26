import type { BatchKind } from '../domain/batch.ts'
import { type Failure, failure } from '../domain/failure.ts'
import { SluiceError } from '../errors.ts'
import type { BatchApi } from './batch-api.ts'
import type { AskingWork, BatchWork } from './batch-work.ts'
import { within } from './within.ts'

/** The API of a kind, or why it cannot be reached: no key, or a provider that has none. */
export function openApi(
  { apis }: BatchWork,
  kind: BatchKind,
): { readonly ok: true; readonly value: BatchApi } | { readonly ok: false; readonly failure: Failure } {
  try {
    return { ok: true, value: apis.open(kind) }
  } catch (error) {
    if (!(error instanceof SluiceError)) throw error
    const cause = error.code === 'credentials_missing' ? 'credentials' : 'provider_error'
    return { ok: false, failure: failure(cause, error.message, { retryable: false }) }
  }
}

/** Asks with a time-out and without regard to the worker's end: for what is done once and soon over. */
export function ask<T>({ runtime, times }: AskingWork, question: (signal: AbortSignal) => Promise<T>): Promise<T> {
  return within(runtime, { ms: times.callMs, ended: new AbortController().signal }, question)
}

/** Removes an upload that nobody needs any more. What fails is not important. */
export function forgetFile(work: AskingWork, api: BatchApi, fileId: string): Promise<void> {
  return ask(work, (signal) => api.forget(fileId, signal))
}

/** Cancels a batch that carries a shard which another batch carries already. */
export async function cancelStray(work: BatchWork, api: BatchApi, batchId: string): Promise<void> {
  await ask(work, (signal) => api.cancel(batchId, signal))
}

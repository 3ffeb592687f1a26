import { createBatchApis } from '../../../src/batch/apis.ts'
import type { BatchApi, RequestLine, ShardOffer } from '../../../src/batch/batch-api.ts'
import type { BatchKind } from '../../../src/domain/batch.ts'
import type { Http } from '../../../src/provider/http.ts'
import { manualRuntime } from '../../support/manual-runtime.ts'

export const KEY = 'sk-test-0123456789abcdef'
export const SHARD = '019ab0c4-0000-7000-8000-000000000001'
export const NOW_MS = 1_700_000_000_000

/** A request as the provider saw it. */
export interface Seen {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** What the provider makes of it; an error is thrown as the network's. A body that is no text is sent as JSON. */
export type Scripted =
  | { readonly status?: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: unknown }
  | Error

/** An HTTP that asks `answer`. */
export function scriptedHttp(answer: (seen: Seen) => Scripted, seen: Seen[] = []): Http {
  return async ({ method, url, headers, body }) => {
    let text = ''
    if (typeof body === 'string') text = body
    else if (body !== null) {
      const blocks: Buffer[] = []
      for await (const block of body.blocks()) blocks.push(Buffer.from(block))
      text = Buffer.concat(blocks).toString()
      if (Buffer.byteLength(text) !== body.bytes) throw new Error(`${body.bytes} bytes were announced`)
    }
    const request = { method, url, headers, body: text }
    seen.push(request)
    const reply = answer(request)
    if (reply instanceof Error) throw reply
    const said = typeof reply.body === 'string' ? reply.body : JSON.stringify(reply.body ?? {})
    const blocks = async function* () {
      // In odd pieces, as the network has them.
      const bytes = Buffer.from(said)
      for (let at = 0; at < bytes.length; at += 7) yield bytes.subarray(at, at + 7)
    }
    return { status: reply.status ?? 200, headers: reply.headers ?? {}, body: blocks() }
  }
}

const URLS: Readonly<Record<string, string>> = {
  'openai/gpt-4.1-mini': 'https://api.openai.com/v1/chat/completions',
  'openai-responses/gpt-5-mini': 'https://api.openai.com/v1/responses',
  'anthropic/claude-sonnet-4-5': 'https://api.anthropic.com/v1/messages',
  'google/gemini-2.5-flash': 'https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:generateContent',
}

/** The kind of requests to a model, at its provider's own address unless told otherwise. */
export function kindOf(id: string, baseUrl: string | null = null, headers: BatchKind['headers'] = {}): BatchKind {
  const target = { id, baseUrl, apiKeyEnv: baseUrl === null ? null : 'KEY' }
  const url = baseUrl === null ? (URLS[id] as string) : `${baseUrl}/chat/completions`
  return { key: 'kind', account: 'account', target, url, headers, schemaLevel: null }
}

/** A provider's batch API over a script, with what it was asked. */
export function scriptedApi(kind: BatchKind, answer: (seen: Seen) => Scripted): { api: BatchApi; seen: Seen[] } {
  const seen: Seen[] = []
  const apis = createBatchApis({ env: () => KEY, runtime: manualRuntime(NOW_MS), http: scriptedHttp(answer, seen) })
  return { api: apis.open(kind), seen }
}

export function offerOf(kind: BatchKind, lines: readonly RequestLine[]): ShardOffer {
  return {
    id: SHARD,
    kind,
    requests: lines.length,
    async *lines() {
      yield* lines
    },
  }
}

export const LINES: readonly RequestLine[] = [
  { id: 'a'.repeat(32).concat('-0'), body: '{"model":"m","messages":[{"role":"user","content":"Straße"}]}' },
  { id: 'a'.repeat(32).concat('-12'), body: '{"model":"m","messages":[]}' },
]

export const NEVER = new AbortController().signal

export async function textsOf(lines: AsyncIterable<Buffer>): Promise<string[]> {
  const texts: string[] = []
  for await (const line of lines) texts.push(line.toString())
  return texts
}

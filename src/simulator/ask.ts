import type { Tier } from './flex.ts'
import type { Schema } from './schema.ts'

/** A stretch of a prompt. */
export interface PromptBlock {
  readonly text: string
  /** The provider is asked to keep the prompt up to its end. */
  readonly isMarked: boolean
}

/** What a request asks for, whatever provider's shape it came in. */
export interface Ask {
  readonly model: string
  /** The first user message: what the answer is made from. */
  readonly text: string
  /** Tokens of all messages, the system prompt and the schema together. */
  readonly inputTokens: number
  /** All that was sent for the model to read, in the order in which it is read. */
  readonly prompt: readonly PromptBlock[]
  /** The schema that the answer must fit; `true` where any JSON will do, `null` for plain text. */
  readonly schema: Schema | null
  readonly maxOutputTokens: number | null
  /** The tool that the answer must call instead of speaking; `null` for none. */
  readonly tool: string | null
  /** At which service tier it is to be answered. */
  readonly tier: Tier
}

/** Why an answer ends. */
export type Finish = 'stop' | 'length' | 'content_filter' | 'refusal'

/** What is said in return, before it takes a provider's shape. */
export interface Said {
  readonly text: string
  readonly finish: Finish
  readonly inputTokens: number
  /** Of the input, what was in the provider's cache, and what was written there. */
  readonly cachedTokens: number
  readonly cacheWriteTokens: number
  readonly outputTokens: number
  /** Of the output, what was thought and not said. */
  readonly reasoningTokens: number
  /** The model as answered: never a name that a real one answers with. */
  readonly model: string
  /** Asked in a batch. */
  readonly inBatch: boolean
  /** At which service tier it was answered. */
  readonly tier: Tier
  /** Unique among this simulator's answers. */
  readonly id: string
  /** Whole seconds since 1970. */
  readonly createdS: number
}

/** Why a request is turned away. */
export type Refusal =
  | { readonly kind: 'bad_request'; readonly message: string; readonly param: string | null }
  | { readonly kind: 'unknown_route'; readonly method: string; readonly path: string }
  | { readonly kind: 'invalid_key' }
  | { readonly kind: 'insufficient_quota' }
  | { readonly kind: 'context_too_long'; readonly inputTokens: number; readonly limit: number }
  | { readonly kind: 'content_filter' }
  | { readonly kind: 'rate_limited'; readonly model: string; readonly limit: LimitHit }
  | { readonly kind: 'overloaded' }
  | { readonly kind: 'no_flex' }
  | { readonly kind: 'server_error' }

/** Which limit stood in the way, and for how long. */
export interface LimitHit {
  readonly scope: 'requests' | 'tokens'
  /** Per minute. */
  readonly limit: number
  readonly used: number
  readonly requested: number
  /** Time until the request would pass; `null`: it never will, being larger than the limit itself. */
  readonly retryAfterMs: number | null
}

/** One bucket's state, for the providers' headers. Times are milliseconds. */
export interface LimitState {
  readonly limit: number
  readonly remaining: number
  /** Until the bucket is full again. */
  readonly fullInMs: number
}

export interface LimitStates {
  readonly nowMs: number
  readonly requests: LimitState | null
  readonly tokens: LimitState | null
}

export interface WireReply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** One provider's way to put requests, answers and errors. */
export interface Shape {
  readonly provider: 'openai' | 'anthropic' | 'gemini'
  /** Reads a request's parsed body. Throws `BadRequest` for what the provider would not take. */
  read(body: Readonly<Record<string, unknown>>, path: string): Ask
  /** Tokens that the request takes from the account's bucket when it is let in. */
  reserve(ask: Ask): number
  /** The answer's body, or the error body where the provider says it with one. */
  write(said: Said, ask: Ask): string
  /** The provider's own status, headers and body for a request that is turned away. */
  refuse(refusal: Refusal, id: string): WireReply
  /** The headers by which this provider tells where its limits stand. */
  limitHeaders(states: LimitStates): Readonly<Record<string, string>>
  /** Whether this provider keeps prompts by itself, or those that are marked. */
  readonly caching: 'by itself' | 'marked'
  /** The header that names the request in this provider's replies. */
  readonly requestIdHeader: string
  /** Whether blocked content is turned away with an error rather than answered with a finish reason. */
  readonly refusesBlocked: boolean
}

/** A request that the provider would answer with 400. */
export class BadRequest extends Error {
  override readonly name = 'BadRequest'
  readonly param: string | null
  constructor(message: string, param: string | null = null) {
    super(message)
    this.param = param
  }
}

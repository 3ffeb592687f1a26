import type { Completion } from '../domain/completion.ts'
import type { Price } from '../domain/money.ts'
import type { ModelRequest, ModelTarget } from '../domain/request.ts'
import type { PriceSpec } from '../domain/spec.ts'

/** One way to ask a model. It never throws for what a provider does: every failure comes back as a value, classified. */
export interface Model {
  complete(request: ModelRequest, options: CompleteOptions): Promise<Completion>
  /** What `complete` would send, and what of the request the model would not honour. Sends nothing. */
  preview(request: ModelRequest): Promise<Preview>
}

export interface CompleteOptions {
  /** Of the whole request, from sending to the last byte. When it passes, the completion is a `timeout`. */
  readonly timeoutMs: number
  /** Abandons the request; the completion is then `cancelled`. */
  readonly signal: AbortSignal
  /** Travels as `x-sluice-attempt` to simulators on this machine only, so that a trial can compare two ledgers. */
  readonly attemptId: string
}

/** A request as it would travel. No header is in it, and so no key. */
export interface Preview {
  readonly url: string
  /** JSON text. */
  readonly body: string
  /** For people: parameters the model does not know, a schema it cannot enforce. The same for every row of a job. */
  readonly warnings: readonly string[]
}

/** The models that can be reached, by target. */
export interface Models {
  /** The model for a target. Throws SluiceError: `credentials_missing` (key variable not set), `spec_invalid` (unknown provider, no base_url). */
  open(target: ModelTarget): Model
  /** Price of a target: the spec's own, else the table's, else `null`. */
  price(target: ModelTarget, own: PriceSpec | null): Price | null
  /** The shortest prefix of a prompt, in tokens, that the target's provider keeps for requests to come. */
  cachesFrom(target: ModelTarget): number
  /** Names the provider account and model whose limits a target shares; holds no key. */
  account(target: ModelTarget): string
  /** Closes all sockets. */
  close(): Promise<void>
}

import type { BatchKind } from '../domain/batch.ts'
import type { Completion, Unanswered } from '../domain/completion.ts'
import type { Price } from '../domain/money.ts'
import type { ModelRequest, ModelTarget, SchemaLevel } from '../domain/request.ts'
import type { PriceSpec } from '../domain/spec.ts'

/** One way to ask a model. It never throws for what a provider does: every failure comes back as a value, classified. */
export interface Model {
  complete(request: ModelRequest, options: CompleteOptions): Promise<Completion>
  /** What `complete` would send, and what of the request the model would not honour. Sends nothing. */
  preview(request: ModelRequest): Promise<Preview>
  /** The request as it would travel, for a batch. A request that cannot be put to this provider at all is the completion that `complete` would give. */
  encode(request: ModelRequest): Promise<EncodedRequest | Unanswered>
  /**
   * The completion of a reply that came by batch: what `complete` would have made of it, without time and limits. `request` must say the same as
   * the one that was encoded, but for the words of its messages.
   */
  decode(request: ModelRequest, reply: BatchReply): Promise<Completion>
}

/** A request as a batch carries it. No key is in it. */
export interface EncodedRequest {
  readonly ok: true
  /** Where it would go by itself; some APIs name the model there only. */
  readonly url: string
  /** Headers without which the body would be understood otherwise; names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  /** JSON text on one line. */
  readonly body: string
  /** How the output schema was put; `null`: there is none. Reading the reply takes it. */
  readonly schemaLevel: SchemaLevel | null
}

/** What a batch says a live request would have been answered with. */
export interface BatchReply {
  readonly status: number
  /** JSON text. */
  readonly body: string
  /** As the provider names the request, for its support. */
  readonly requestId: string | null
  /** As the request was encoded. */
  readonly schemaLevel: SchemaLevel | null
}

export interface CompleteOptions {
  /** Of the whole request, from sending to the last byte. When it passes, the completion is a `timeout`. */
  readonly timeoutMs: number
  /** Abandons the request; the completion is then `cancelled`. */
  readonly signal: AbortSignal
  /** Asks for the tier that `Models.flex` tells of; absent: as the provider serves by itself. Never part of a request's hash: answers are the same. */
  readonly tier?: 'flex'
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
  /** The batch API of a target, and what its requests cost there in thousandths of the live price; `null`: it has none that sluice knows. */
  batches(target: ModelTarget): { readonly priceLanePermille: number } | null
  /** What a request costs that goes as flex, in thousandths of the live price; `null`: the target's provider does not offer it, as far as sluice knows. */
  flex(target: ModelTarget): { readonly priceLanePermille: number } | null
  /** What a request may share a batch with: everything encoded to the same kind. Equal kinds are the same object. */
  batchKind(target: ModelTarget, encoded: EncodedRequest): BatchKind
  /** Closes all sockets. */
  close(): Promise<void>
}

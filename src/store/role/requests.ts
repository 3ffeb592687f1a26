/** Answers to requests that carry an `Idempotency-Key`, so that the same request twice is done once. */
export interface Requests {
  /**
   * Takes the key for this request. `mine`: it is to be done now; `subject` is an id that was minted for what it makes, the same each time that the
   * key is taken anew after its holder died. `busy`: another one is at it. `other`: the key was used for another request. `answered`: here is the answer.
   */
  take(request: NewRequest): Promise<Taken>
  /** Keeps the answer; the first one that comes stays. */
  answer(tenantNo: number, key: string, answer: KeptAnswer, atMs: number): Promise<void>
  /** Gives the key back without an answer: the request failed in a way that may pass. The key stays with its request, and with its subject. */
  giveBack(tenantNo: number, key: string): Promise<void>
  /** Forgets what was taken for the first time before `beforeMs`. Returns how many. */
  forget(beforeMs: number): Promise<number>
}

export interface NewRequest {
  readonly tenantNo: number
  readonly key: string
  /** Hash (hex) over method, path and body. */
  readonly fingerprint: string
  /** A fresh id, used where this is the first. */
  readonly subject: string
  readonly nowMs: number
  /** Whoever took it before this and has not answered is dead. */
  readonly staleBeforeMs: number
}

export type Taken =
  | { readonly kind: 'mine'; readonly subject: string }
  | { readonly kind: 'busy' | 'other' }
  | { readonly kind: 'answered'; readonly answer: KeptAnswer }

export interface KeptAnswer {
  readonly status: number
  /** The headers that belong to the answer itself, as JSON. */
  readonly headers: string
  readonly body: string
}

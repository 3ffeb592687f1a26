import type { Completion } from '../../src/domain/completion.ts'
import { type Failure, failure } from '../../src/domain/failure.ts'
import type { ModelRequest } from '../../src/domain/request.ts'
import type { Lane } from '../../src/lane/lane.ts'

/** One request as the lane saw it. */
export interface SentRequest {
  /** The row's text: what the first message says. */
  readonly text: string
  readonly model: string
  readonly attemptId: string
  /** Asked as flex. */
  readonly flex: boolean
  /** From 1: how often this text was sent. */
  readonly time: number
}

type Script = (request: SentRequest) => Completion | Promise<Completion>

/** A lane that answers as a test says, and remembers what it was sent. */
export interface ScriptedLane extends Lane {
  readonly sent: readonly SentRequest[]
  /** Requests that were neither answered nor hung up on. */
  readonly open: number
  /** How requests from now on are answered. */
  answers(script: Script): void
  /** Answers a request that came in another way, and remembers it. */
  answer(text: string, model: string, attemptId: string): Promise<Completion>
}

const USAGE = { inputTokens: 10, cachedInputTokens: 2, cacheWriteTokens: 0, outputTokens: 5, reasoningTokens: 0 }
const COMMON = { limits: null, providerRequestId: null, latencyMs: 1, modelAnswered: null }

/** An answer that fits the workshop's spec. */
export function topic(text = 'bug'): Completion {
  return {
    ...COMMON,
    ok: true,
    text: JSON.stringify({ topic: text }),
    finish: 'stop',
    usage: USAGE,
    modelAnswered: 'm-1',
  }
}

/** An answer as it is. */
export function says(text: string): Completion {
  return { ...COMMON, ok: true, text, finish: 'stop', usage: USAGE }
}

/** A failure that the provider did not bill. */
export function fails(cause: Failure['cause'], more: Partial<Failure> = {}): Completion {
  return { ...COMMON, ok: false, usage: null, failure: { ...failure(cause, `it was ${cause}`), ...more } }
}

/** A lane that answers everything well until it is told otherwise. */
export function scriptedLane(): ScriptedLane {
  const sent: SentRequest[] = []
  const times = new Map<string, number>()
  let script: Script = () => topic()
  let open = 0
  const see = (text: string, model: string, attemptId: string, flex = false): SentRequest => {
    const time = (times.get(text) ?? 0) + 1
    times.set(text, time)
    const seen = { text, model, attemptId, flex, time }
    sent.push(seen)
    return seen
  }
  return {
    name: 'live',
    sent,
    get open() {
      return open
    },
    answers(next) {
      script = next
    },
    answer: async (text, model, attemptId) => script(see(text, model, attemptId)),
    async send(request: ModelRequest, { attemptId, signal, tier }) {
      const seen = see(request.messages[0]?.text ?? '', request.target.id, attemptId, tier === 'flex')
      open += 1
      const hungUp = Promise.withResolvers<Completion>()
      const hangUp = () => hungUp.resolve(fails('cancelled'))
      signal.addEventListener('abort', hangUp, { once: true })
      try {
        return await Promise.race([hungUp.promise, script(seen)])
      } finally {
        signal.removeEventListener('abort', hangUp)
        open -= 1
      }
    },
  }
}

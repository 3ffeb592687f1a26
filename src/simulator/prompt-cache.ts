import { createHash } from 'node:crypto'
import type { Ask, PromptBlock, Shape } from './ask.ts'
import { countTokens } from './tokens.ts'

/** What a prompt had from the cache, and what was put there. */
export interface PromptCacheUse {
  readonly cachedTokens: number
  readonly cacheWriteTokens: number
}

/** The prompts that a provider keeps for requests to come. */
export interface PromptCache {
  /** Looks an ask's prompt up, and keeps it: whoever asks from `answeredMs` on finds it. */
  use(shape: Pick<Shape, 'caching'>, ask: Ask, answeredMs: number): PromptCacheUse
}

/** No shorter beginning is kept; beyond it, a provider that keeps prompts by itself does so in steps. */
const MIN_TOKENS = 1024
const STEP_TOKENS = 128
const BYTES_PER_TOKEN = 4
/** Since it was last used. */
const KEPT_MS = 5 * 60_000
/** Beginnings that are kept at a time; the longest unused make room. */
const MAX_KEPT = 200_000

const NOTHING: PromptCacheUse = Object.freeze({ cachedTokens: 0, cacheWriteTokens: 0 })

interface Kept {
  /** When its first answer was there: requests at the same time do not find it. */
  readonly fromMs: number
  lastMs: number
}

/** A beginning of a prompt. */
interface Prefix {
  readonly name: string
  readonly tokens: number
}

/**
 * A cache like those of the providers: OpenAI and Gemini keep what they have read by themselves and charge nothing for it, Anthropic what is
 * marked, which is charged as written.
 */
export function createPromptCache(nowMs: () => number): PromptCache {
  // In the order of use: the first is the longest unused.
  const kept = new Map<string, Kept>()

  const isThere = ({ name }: Prefix, now: number) => {
    const entry = kept.get(name)
    return entry !== undefined && entry.fromMs <= now && now - entry.lastMs <= KEPT_MS
  }
  const keep = ({ name }: Prefix, now: number, answeredMs: number) => {
    const entry = kept.get(name)
    const isFresh = entry !== undefined && now - entry.lastMs <= KEPT_MS
    kept.delete(name)
    kept.set(name, { fromMs: isFresh ? Math.min(entry.fromMs, answeredMs) : answeredMs, lastMs: now })
  }
  const makeRoom = (now: number) => {
    for (const [name, { lastMs }] of kept) {
      if (kept.size <= MAX_KEPT && now - lastMs <= KEPT_MS) return
      kept.delete(name)
    }
  }

  return Object.freeze({
    use({ caching }: Pick<Shape, 'caching'>, ask: Ask, answeredMs: number) {
      if (ask.inputTokens < MIN_TOKENS) return NOTHING
      const now = nowMs()
      const prefixes = caching === 'marked' ? markedPrefixes(ask) : steppedPrefixes(ask)
      const cachedTokens = prefixes.findLast((prefix) => isThere(prefix, now))?.tokens ?? 0
      const longest = prefixes[prefixes.length - 1]?.tokens ?? 0
      for (const prefix of prefixes) keep(prefix, now, answeredMs)
      makeRoom(now)
      return { cachedTokens, cacheWriteTokens: caching === 'marked' ? longest - cachedTokens : 0 }
    },
  })
}

function steppedPrefixes(ask: Ask): readonly Prefix[] {
  const bytes = Buffer.from(textOf(ask, ask.prompt))
  const running = createHash('sha1')
  const prefixes: Prefix[] = []
  let from = 0
  for (let tokens = MIN_TOKENS; tokens * BYTES_PER_TOKEN <= bytes.length; tokens += STEP_TOKENS) {
    const to = tokens * BYTES_PER_TOKEN
    running.update(bytes.subarray(from, to))
    prefixes.push({ name: running.copy().digest('base64'), tokens })
    from = to
  }
  return prefixes
}

function markedPrefixes(ask: Ask): readonly Prefix[] {
  return ask.prompt.flatMap(({ isMarked }, at) => {
    if (!isMarked) return []
    const blocks = ask.prompt.slice(0, at + 1)
    const tokens = countTokens(...blocks.map(({ text }) => text))
    if (tokens < MIN_TOKENS) return []
    return [{ name: createHash('sha1').update(textOf(ask, blocks)).digest('base64'), tokens }]
  })
}

function textOf({ model }: Ask, blocks: readonly PromptBlock[]): string {
  return [model, ...blocks.map(({ text }) => text)].join('\u0000')
}

import { describe, expect, it } from 'vitest'
import { whyDown } from '../../src/worker/why-down.ts'

const down = { cause: null, forMs: 0, waitMs: null, limit: null }

describe('why a job pauses for its provider', () => {
  it.each([
    [{ ...down, cause: 'rate_limited', forMs: 42_000 }, 'has turned every request away as one too many (429) for 42 s'],
    [
      { ...down, cause: 'overloaded', forMs: 42_000 },
      'has turned every request away for want of capacity (503) for 42 s',
    ],
    [{ ...down, cause: 'connection', forMs: 300_000 }, 'could not be reached for 5 minutes'],
    [{ ...down, cause: 'rate_limited', waitMs: 21_600_000 }, 'asks to wait for 6 hours'],
  ] as const)('is told in a sentence', (why, words) => {
    expect(whyDown('openai/gpt', why)).toBe(`openai/gpt ${words}`)
  })

  it('names the limit that is used up', () => {
    const limit = { kind: 'requests', limit: 14_400, windowMs: 86_400_000, source: 'said' } as const
    expect(whyDown('groq/llama', { ...down, waitMs: 600_000, limit })).toBe(
      'groq/llama: the limit of 14,400 requests a day is used up; there is room again in 10 minutes',
    )
  })
})

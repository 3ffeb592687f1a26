import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { didYouMean, editDistance, nearest, oneOf } from '../../src/spec/nearest.ts'

describe('nearest', () => {
  it.each([
    ['reveiw', ['topic', 'review'], 'review'],
    ['Topic', ['topic'], 'topic'],
    ['sorce', ['sql', 'source'], 'source'],
    ['max_tokens', ['temperature', 'seed'], null],
    ['x', ['y'], 'y'],
    ['abc', [], null],
  ])('finds for %s among %j', (name, known, expected) => {
    expect(nearest(name, known)).toBe(expected)
  })

  it('speaks as a hint', () => {
    expect(didYouMean('lenght', ['length'])).toBe('did you mean "length"?')
    expect(didYouMean('lenght', ['width'])).toBeNull()
    expect(oneOf(['a', 'b'])).toBe('one of "a", "b"')
    expect(oneOf(Array.from({ length: 20 }, (_, n) => String(n)))).toMatch(/"11", … \(20 in all\)$/)
  })
})

describe('editDistance', () => {
  it('is nothing only for equal texts, the same both ways, and one for one edit or swap', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 12 }), fc.string({ maxLength: 12 }), (a, b) => {
        expect(editDistance(a, b)).toBe(editDistance(b, a))
        expect(editDistance(a, b) === 0).toBe(a === b)
        expect(editDistance(a, b)).toBeLessThanOrEqual(Math.max(a.length, b.length))
        expect(editDistance(a, `${a}x`)).toBe(1)
      }),
    )
    expect(editDistance('form', 'from')).toBe(1)
  })
})

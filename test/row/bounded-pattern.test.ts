import fc from 'fast-check'
import { expect, it } from 'vitest'
import { boundedPattern } from '../../src/row/bounded-pattern.ts'
import { compileSchema } from '../../src/row/output-schema.ts'

it.each(['^(a+)+$', '^(a|a)*$', '^(?:a{1,20}){1,20}$', '^(\\w+\\s?)*$'])(
  'ends with %s, and takes it for no match',
  (source) => {
    const pattern = boundedPattern(source, 'u')
    for (let tests = 0; tests < 5; tests++) expect(pattern.test(`${'a'.repeat(60)}!`)).toBe(false)
  },
)

it('says of short and plain texts what RegExp says', () => {
  const source = fc.constantFrom('^[a-z]+$', 'a*b*', '^\\d{2,4}-x$', '[+*)]', '\\)+', 'é.?', '(ab)?c', '^(a|b)+$')
  fc.assert(
    fc.property(source, fc.string({ unit: fc.constantFrom(...'ab12-x)+*éc'), maxLength: 12 }), (pattern, text) => {
      expect(boundedPattern(pattern, 'u').test(text)).toBe(new RegExp(pattern, 'u').test(text))
    }),
    { numRuns: 200 },
  )
})

it('holds up no answer that is judged by a schema', () => {
  const faults = compileSchema({ type: 'object', properties: { code: { type: 'string', pattern: '^(a+)+$' } } })
  expect(faults({ code: 'aaa' })).toEqual([])
  expect(faults({ code: `${'a'.repeat(60)}!` })).toHaveLength(1)
})

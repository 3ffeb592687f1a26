import fc from 'fast-check'
import { expect, it } from 'vitest'
import { differences } from '../../src/spec/diff.ts'

it('names the smallest mappings that differ, and lists item by item', () => {
  const before = { a: 1, b: { c: [1, 2], d: 'x' }, 'odd/name': true }
  const after = { a: 2, b: { c: [1, 3, 4] }, 'odd/name': true, e: null }
  expect(differences(before, after)).toEqual([
    { path: '/a', change: 'changed', before: 1, after: 2 },
    { path: '/b/c/1', change: 'changed', before: 2, after: 3 },
    { path: '/b/c/2', change: 'added', before: undefined, after: 4 },
    { path: '/b/d', change: 'removed', before: 'x', after: undefined },
    { path: '/e', change: 'added', before: undefined, after: null },
  ])
})

it('finds nothing between equal documents, and something between others', () => {
  const document = fc.jsonValue()
  fc.assert(
    fc.property(document, (value) => {
      expect(differences(value, structuredClone(value))).toEqual([])
    }),
  )
  fc.assert(
    fc.property(document, document, (a, b) => {
      const same = JSON.stringify(sorted(a)) === JSON.stringify(sorted(b))
      expect(differences(a, b).length === 0).toBe(same)
    }),
  )
})

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return Object.is(value, -0) ? 'minus zero' : value
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, each]) => [key, sorted(each)]),
  )
}

import fc from 'fast-check'
import { expect, it } from 'vitest'
import { readRowList, writeRowList } from '../../src/store/row-list.ts'

it('gives back whatever rows ascend', () => {
  const ascending = fc
    .uniqueArray(fc.oneof(fc.nat(60), fc.maxSafeNat()), { maxLength: 80 })
    .map((rows) => rows.toSorted((a, b) => a - b))
  fc.assert(
    fc.property(ascending, (rows) => {
      expect(readRowList(writeRowList(rows))).toStrictEqual(rows)
    }),
  )
})

it('is short for runs, and for rows here and there', () => {
  const rows = Array.from({ length: 100_000 }, (_, n) => 1_000_000 + n)
  expect(writeRowList(rows)).toBe('1000000+99999')
  expect(writeRowList(rows.filter((row) => row % 2 === 0)).length).toBeLessThan(110_000)
  expect(writeRowList([5, 6, 7, 9])).toBe('5+2,2')
  expect(writeRowList([])).toBe('')
})

it('refuses rows that do not ascend', () => {
  for (const rows of [[1, 1], [2, 1], [0, 0], [-1], [1.5], [Number.NaN]])
    expect(() => writeRowList(rows)).toThrow('ascend')
})

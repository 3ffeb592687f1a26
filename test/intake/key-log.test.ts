import fc from 'fast-check'
import { expect, it } from 'vitest'
import { createKeyLog, findTwins } from '../../src/intake/key-log.ts'
import { workplace } from './workplace.ts'

it('finds every key that came before, in whatever segment, however few entries it may look through at once', async () => {
  const segments = fc.array(fc.array(fc.nat({ max: 60 }), { maxLength: 40 }), { minLength: 1, maxLength: 5 })
  await fc.assert(
    fc.asyncProperty(segments, fc.constantFrom(1, 7, 1000), async (keys, groupEntries) => {
      const { blob } = workplace()
      const log = createKeyLog(blob, 'job_1')
      const rows = keys.flat()
      let firstRow = 0
      for (const [segmentNo, segment] of keys.entries()) {
        for (const [at, key] of segment.entries()) log.add(`key ${key}`, at, firstRow + at + 2, 3)
        await log.put(segmentNo, firstRow)
        firstRow += segment.length
      }
      const expected = rows.flatMap((key, row) => (rows.indexOf(key) < row ? [[rows.indexOf(key), row]] : []))
      const { count, twins } = await findTwins(blob, 'job_1', keys.length, 5, groupEntries)
      expect(count).toBe(expected.length)
      expect(twins.map(({ first, second }) => [first.rowIndex, second.rowIndex])).toStrictEqual(expected.slice(0, 5))
      for (const { second } of twins) {
        expect(second).toMatchObject({ line: second.rowIndex + 2, file: 3 })
        expect(keys[second.segmentNo]?.[second.rowInSegment]).toBe(rows[second.rowIndex])
      }
    }),
    { numRuns: 60 },
  )
})

it('keeps row numbers beyond 32 bits', async () => {
  const { blob } = workplace()
  const log = createKeyLog(blob, 'job_1')
  log.add('a', 0, 0, 0)
  log.add('a', 5, 0, 0)
  await log.put(0, 2 ** 33)
  const { twins } = await findTwins(blob, 'job_1', 1, 1)
  expect(twins[0]?.second.rowIndex).toBe(2 ** 33 + 5)
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cancelCourse, phaseOf, planCourse, progressOf } from '../../src/simulator/batch/course.ts'
import { elementsOf } from '../../src/simulator/batch/elements.ts'
import { readForm } from '../../src/simulator/batch/multipart.ts'
import { resolveBatchOptions } from '../../src/simulator/batch/options.ts'
import { linesOf } from '../../src/simulator/batch/shelf.ts'
import { drawOf } from '../../src/simulator/draw.ts'

/** A text as it comes over a network: in pieces that know nothing of what they hold. */
async function* inPieces(text: string, sizes: readonly number[]): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text)
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const size = sizes[turn % sizes.length] as number
    yield bytes.subarray(at, at + size)
    at += size
  }
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const item of items) list.push(item)
  return list
}

const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 })
const request = fc.record({ custom_id: fc.string(), params: fc.dictionary(fc.string(), fc.jsonValue()) })

describe('the parts of the batch endpoints', () => {
  it('take requests out of a JSON body, however it is cut into pieces and whatever stands around them', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(request),
        fc.dictionary(fc.string(), fc.jsonValue()),
        sizes,
        fc.constantFrom(undefined, 2),
        async (requests, more, pieces, indent) => {
          const { requests: _, ...others } = more
          const text = JSON.stringify({ ...others, requests, z: { requests: [{ not: 'ours' }] } }, null, indent)
          const found = await all(elementsOf(inPieces(text, pieces), 'requests'))
          expect(found.map((one) => JSON.parse(one.toString()))).toEqual(JSON.parse(JSON.stringify(requests)))
        },
      ),
    )
  })

  it('notice that a JSON body breaks off', async () => {
    const text = JSON.stringify({ requests: [{ custom_id: 'a' }, { custom_id: 'b' }] })
    for (let length = 0; length < text.length; length += 1) {
      await expect(all(elementsOf(inPieces(text.slice(0, length), [7]), 'requests'))).rejects.toThrow(SyntaxError)
    }
  })

  it('read forms, however they are cut into pieces', async () => {
    const content = fc.array(fc.constantFrom('\r\n', '--', '--bound', '\r\n--boun', 'line\n', '{"a":1}', 'é'))
    await fc.assert(
      fc.asyncProperty(content, sizes, fc.boolean(), async (parts, pieces, isFileFirst) => {
        const body = parts.join('')
        const file = `--bound ary\r\nContent-Disposition: form-data; name="file"; filename="x.jsonl"\r\nContent-Type: a/b\r\n\r\n${body}\r\n`
        const field = '--bound ary\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
        const form = `${isFileFirst ? file + field : field + file}--bound ary--\r\nepilogue`
        const got: Buffer[] = []
        const type = 'multipart/form-data; boundary="bound ary"'
        const facts = await readForm(inPieces(form, pieces), type, async (bytes) => void got.push(bytes))
        expect(facts).toEqual({ fields: { purpose: 'batch' }, filename: 'x.jsonl' })
        expect(Buffer.concat(got).toString()).toBe(body)
      }),
    )
    const cut = readForm(inPieces('--b\r\ncontent-disposition: form-data; name="file"', [9]), 'x; boundary=b', () =>
      Promise.resolve(),
    )
    await expect(cut).rejects.toThrow(RangeError)
  })

  it('cut lines, however they come', async () => {
    const line = fc.array(fc.constantFrom('a', 'é', '{}', ' ')).map((parts) => parts.join(''))
    await fc.assert(
      fc.asyncProperty(fc.array(line), fc.constantFrom('\n', '\r\n'), sizes, async (lines, end, pieces) => {
        const found = await all(linesOf(inPieces(lines.join(end), pieces)))
        expect(found.map(String)).toEqual(lines.filter((one) => one !== ''))
      }),
    )
  })

  it('plan courses that only go forward, and end as they said or as they were cancelled', () => {
    const time = fc
      .integer({ min: 0, max: 100 })
      .map((hours) => ({ medianMs: hours * 3_600_000, p99Ms: hours * 3_600_000 }))
    const share = fc.double({ min: 0, max: 0.5, noNaN: true })
    const options = fc.record({ validating: time, running: time, finalizing: time, expired: share, invalid: share })
    const marks = fc.array(fc.integer({ min: 0, max: 300 * 3_600_000 }), { minLength: 1 })
    const order = ['validating', 'running', 'cancelling', 'finalizing', 'ended']
    fc.assert(
      fc.property(options, marks, fc.integer(), fc.option(fc.nat(30)), (given, times, seed, cancelAt) => {
        const resolved = resolveBatchOptions({ ...given, cancellingMs: 1000 })
        let course = planCourse(resolved, 0, 24 * 3_600_000, null, drawOf(seed, 'course'))
        let phase = 0
        let progress = 0
        for (const [at, nowMs] of times.toSorted((a, b) => a - b).entries()) {
          if (at === cancelAt) course = cancelCourse(course, resolved, nowMs)
          const now = order.indexOf(phaseOf(course, nowMs, true))
          const done = progressOf(course, nowMs)
          expect(now).toBeGreaterThanOrEqual(phase)
          expect(done).toBeGreaterThanOrEqual(progress)
          expect(done).toBeLessThanOrEqual(1)
          phase = now
          progress = done
        }
        expect(course.end === 'completed').toBe(course.share === 1 && course.cancelledMs === null)
        expect(phaseOf(course, course.doneMs, false)).not.toBe('ended')
        expect(phaseOf(course, course.doneMs, true)).toBe('ended')
      }),
    )
  })
})

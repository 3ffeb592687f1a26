import { expect, it } from 'vitest'
import { type DeadLetterSource, deadLetterLine, deadLetters } from '../../src/delivery/dead-letters.ts'
import type { Cause } from '../../src/domain/failure.ts'
import { spec } from '../row/fixture.ts'
import { type PlannedRow, workplace } from './planned-job.ts'

const refused: PlannedRow = {
  kind: 'row',
  id: 'b',
  values: ['b', 2n ** 60n],
  outcome: { state: 'failed', cause: 'refused', message: 'no', reply: 'I cannot', attempts: 2, costNano: null },
  attempts: [
    { cause: 'timeout', message: 'late', costNano: 0 },
    { cause: 'refused', reply: 'I cannot', costNano: null },
  ],
}

async function lines(source: DeadLetterSource, cause: Cause | null = null) {
  const texts: string[] = []
  for await (const letter of deadLetters(source, cause)) texts.push(deadLetterLine(letter))
  return texts
}

it('gives the whole context of each dead letter, one line each', async () => {
  await using place = workplace()
  const ok: PlannedRow = { kind: 'row', values: ['a', 1], outcome: { output: '{}' } }
  const job = await place.job({
    spec: spec(),
    input: { columns: ['id', 'big'] },
    chunks: [[ok, refused, { kind: 'unreadable', excerpt: '"c;' }], [ok]],
  })
  const [first, second, ...others] = await lines(job)
  expect(others).toStrictEqual([])
  expect(first).toContain('"input":{"id":"b","big":1152921504606846976}')
  expect(JSON.parse(first ?? '')).toMatchObject({
    type: 'dead_letter',
    row_id: 'b',
    row_index: 1,
    chunk_id: 0,
    cause: 'refused',
    message: 'no',
    excerpt: null,
    last_reply: 'I cannot',
    cost_usd: null,
    attempts: [
      {
        number: 1,
        cause: 'timeout',
        message: 'late',
        model: 'openai/main',
        started_at: '2023-11-14T22:13:22.000Z',
        cost_usd: 0,
      },
      { number: 2, cause: 'refused', reply: 'I cannot', ended_at: '2023-11-14T22:13:23.001Z', cost_usd: null },
    ],
  })
  expect(JSON.parse(second ?? '')).toMatchObject({
    row_id: 'line:4',
    cause: 'input_unreadable',
    message: 'in.csv:4: a quote is open',
    input: null,
    excerpt: '"c;',
    last_reply: null,
    attempts: [],
  })
  expect(job.reads()).toBe(1)
})

it('narrows to one cause, over more than one page', async () => {
  await using place = workplace()
  const failed = (cause: Cause): PlannedRow => ({ kind: 'row', values: [], outcome: { state: 'failed', cause } })
  const rows = Array.from({ length: 450 }, (_, at) => failed(at % 3 === 0 ? 'timeout' : 'refused'))
  const job = await place.job({ spec: spec(), input: { columns: [] }, chunks: [rows] })
  const found = (await lines(job, 'timeout')).map((line) => (JSON.parse(line) as { row_index: number }).row_index)
  expect(found).toStrictEqual(Array.from({ length: 150 }, (_, at) => at * 3))
})

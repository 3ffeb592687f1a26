import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { resultColumns } from '../../src/delivery/result-columns.ts'
import { type ResultRow, type ResultSelection, type ResultSource, resultRows } from '../../src/delivery/result-table.ts'
import type { Value } from '../../src/domain/row.ts'
import { spec } from '../row/fixture.ts'
import { type PlannedRow, workplace } from './planned-job.ts'

const tickets = spec({
  schema: { type: 'object', properties: { topic: { type: 'string' }, size: { type: 'integer' } } },
})

async function all(source: ResultSource, selection: ResultSelection = { only: null, includeInput: true }) {
  return collect(resultRows(source, selection))
}

async function collect(batches: AsyncIterable<readonly ResultRow[]>): Promise<readonly ResultRow[]> {
  const rows: ResultRow[] = []
  for await (const batch of batches) rows.push(...batch)
  return rows
}

/** A row's values by column name. */
function named(
  source: ResultSource,
  row: ResultRow | undefined,
  includeInput = true,
): Record<string, Value | undefined> {
  const columns = resultColumns(source.spec, source.job.input, includeInput)
  expect(row?.values).toHaveLength(columns.length)
  return Object.fromEntries(columns.map(({ name }, at) => [name, row?.values[at]]))
}

describe('resultRows', () => {
  it('gives input, output and metadata columns in the order of the contract', async () => {
    await using place = workplace()
    const source = await place.job({
      spec: tickets,
      input: { columns: ['id', 'body'] },
      chunks: [
        [
          {
            kind: 'row',
            id: 'T-1',
            values: ['T-1', 'a\r\n"b", c '],
            outcome: { output: '{"size":12345678901234567890,"topic":"bug"}', costNano: 1_234_567, attempts: 2 },
          },
        ],
      ],
    })
    const [row] = await all(source)
    expect(Object.entries(named(source, row))).toStrictEqual([
      ['id', 'T-1'],
      ['body', 'a\r\n"b", c '],
      ['topic', 'bug'],
      ['size', 12345678901234567890n],
      ['_row_id', 'T-1'],
      ['_row_index', 0],
      ['_chunk_id', 0],
      ['_status', 'ok'],
      ['_error', null],
      ['_error_message', null],
      ['_attempts', 2],
      ['_model', 'main-2026'],
      ['_lane', 'live'],
      ['_input_tokens', 10],
      ['_output_tokens', 2],
      ['_cost_usd', 0.001234567],
      ['_latency_ms', 20],
    ])
  })

  it('shows every kind of outcome, and what has none yet', async () => {
    await using place = workplace()
    const row = (outcome?: Extract<PlannedRow, { kind: 'row' }>['outcome']): PlannedRow => {
      return { kind: 'row', values: ['x'], ...(outcome && { outcome }) }
    }
    const source = await place.job({
      spec: tickets,
      input: { columns: ['body'] },
      chunks: [
        [row({ output: '{"topic":"bug"}' }), { kind: 'unreadable' }, row()],
        [
          row({ state: 'failed', cause: 'refused', message: 'no', output: '{"topic":"bug"}' }),
          row({ state: 'skipped' }),
        ],
      ],
    })
    const rows = (await all(source)).map((one) => named(source, one))
    expect(rows.map((one) => [one._row_id, one._status, one._error, one.body, one.topic])).toStrictEqual([
      ['0', 'ok', null, 'x', 'bug'],
      ['line:3', 'failed', 'input_unreadable', null, null],
      ['2', 'pending', null, 'x', null],
      // What a row that failed had answered is on its dead letter, not in its results.
      ['3', 'failed', 'refused', 'x', null],
      ['4', 'skipped', null, 'x', null],
    ])
    expect(rows[1]?._error_message).toBe('in.csv:3: a quote is open')
    expect(rows[2]).toMatchObject({ _attempts: null, _cost_usd: null, _chunk_id: 0 })
    expect(await all({ ...source, job: { ...source.job, state: 'cancelled' } })).toMatchObject([
      { status: 'ok' },
      { status: 'failed' },
      { status: 'cancelled' },
      { status: 'failed' },
      { status: 'skipped' },
    ])
  })

  it('keeps the numbers of an answer: whole ones with all digits, decimals as doubles', async () => {
    await using place = workplace()
    const output = '{"topic":[0.12345678901234567890,98765432109876543210,{"__proto__":1}],"size":1e3}'
    const source = await place.job({
      spec: tickets,
      input: { columns: [] },
      chunks: [[{ kind: 'row', values: [], outcome: { output } }]],
    })
    const [row] = await all(source)
    expect(row?.values.slice(0, 2)).toStrictEqual([
      [0.12345678901234568, 98765432109876543210n, JSON.parse('{"__proto__":1}')],
      1000,
    ])
  })

  it('reads the snapshot only where it needs it', async () => {
    await using place = workplace()
    const done: PlannedRow = { kind: 'row', values: ['x'], outcome: { output: '{}' } }
    const source = await place.job({
      spec: tickets,
      input: { columns: ['body'] },
      chunks: [[done, done], [done, { kind: 'row', id: 'key', values: ['y'] }], [done]],
    })
    const rows = await all(source, { only: null, includeInput: false })
    expect(rows.map((row) => named(source, row, false)._row_id)).toStrictEqual(['0', '1', '2', 'key', '4'])
    expect(source.reads()).toBe(1)
    expect(await all(source, { only: 'failed', includeInput: true })).toStrictEqual([])
    expect(source.reads()).toBe(1)
  })

  const plannedRow: fc.Arbitrary<PlannedRow> = fc.oneof(
    { weight: 1, arbitrary: fc.constant<PlannedRow>({ kind: 'unreadable' }) },
    { weight: 3, arbitrary: fc.constant<PlannedRow>({ kind: 'row', values: ['x'] }) },
    {
      weight: 6,
      arbitrary: fc
        .constantFrom('succeeded', 'failed', 'skipped', 'cancelled')
        .map((state): PlannedRow => ({ kind: 'row', values: ['x'], outcome: { state, output: '{}' } })),
    },
  )

  it('has every row exactly once and in order, whatever has ended, and narrows to what is asked', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(plannedRow, { minLength: 1, maxLength: 7 }), { maxLength: 6 }),
        async (chunks) => {
          await using place = workplace()
          const source = await place.job({ spec: tickets, input: { columns: ['body'] }, chunks })
          const planned = chunks.flat()
          const rows = await all(source)
          expect(rows.map(({ index }) => index)).toStrictEqual(planned.map((_, index) => index))
          expect(rows.map((row) => named(source, row).body)).toStrictEqual(
            planned.map(({ kind }) => (kind === 'row' ? 'x' : null)),
          )
          for (const only of ['ok', 'failed'] as const) {
            const narrowed = await collect(resultRows(source, { only, includeInput: true }))
            expect(narrowed).toStrictEqual(rows.filter(({ status }) => status === only))
          }
        },
      ),
      { numRuns: 20 },
    )
  })
})

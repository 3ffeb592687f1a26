import { expect, it } from 'vitest'
import { jobFolder, provider, summaryOf, ticketSpec, tickets } from './job-folder.ts'

const ROWS = 60

it('`retry` takes exactly the rows that were named: by row, by chunk, by cause, and with the spec as it is now', async () => {
  const folder = await jobFolder()
  const refusing = await provider(folder, '--refusal', '50%')
  const willing = await provider(folder)
  await folder.write('tickets.csv', tickets(ROWS))
  const execution = 'execution: { chunk_rows: 20 }\n'
  await folder.write('spec.yaml', ticketSpec(refusing.url, execution))
  const run = await folder.run('run', 'spec.yaml')
  expect(run.code, run.stderr).toBe(0)
  const failed = async () => (await folder.results()).filter((row) => row._status === 'failed')
  const first = await failed()
  expect(first.length).toBeGreaterThan(10)
  const sentSince = (before: number) => refusing.requests().length - before

  // By row: it is refused again, and stands where it stood.
  let before = refusing.requests().length
  const [one] = first
  const byRow = await folder.run('retry', '--row', String(one?._row_id))
  expect(byRow.code, byRow.stderr).toBe(0)
  expect(sentSince(before)).toBe(1)
  expect(await failed()).toHaveLength(first.length)

  // By chunk.
  before = refusing.requests().length
  const chunk = Number(one?._chunk_id)
  const byChunk = await folder.run('retry', '--chunk', String(chunk))
  expect(byChunk.code, byChunk.stderr).toBe(0)
  expect(sentSince(before)).toBe(first.filter((row) => row._chunk_id === chunk).length)

  // A cause that no row has is nothing to do.
  before = refusing.requests().length
  const byCause = await folder.run('retry', '--cause', 'timeout')
  expect(byCause.code).toBe(0)
  expect(byCause.stderr).toMatch(/nothing to retry/i)
  expect(sentSince(before)).toBe(0)

  // With the spec as it is now: the mended one answers, and each row says which version made it.
  await folder.write('spec.yaml', ticketSpec(willing.url, execution))
  const current = await folder.run('retry', '--cause', 'refused', '--spec', 'current')
  expect(current.code, current.stderr).toBe(0)
  expect(sentSince(before)).toBe(0)
  expect(willing.requests()).toHaveLength(first.length)
  expect(summaryOf(current.stdout)).toMatchObject({
    state: 'completed',
    rows: { total: ROWS, succeeded: ROWS, failed: 0 },
  })
  const rounds = await folder.query<{ n: number }>('select count(*) as n from rows group by round order by round')
  expect(rounds.map(({ n }) => n)).toEqual([ROWS - first.length, first.length])
  // Nothing of the ledger was forgotten.
  expect(await folder.count('attempts')).toBe(refusing.requests().length + willing.requests().length)
})

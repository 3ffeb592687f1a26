import type { ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, it } from 'vitest'
import { ON_POSTGRES } from './back-end.ts'
import { type JobFolder, jobFolder, provider, summaryOf, ticketSpec, tickets } from './job-folder.ts'
import { until } from './sluice-process.ts'

it('two processes on one data directory share a job, and never a chunk', async () => {
  const folder = await jobFolder()
  const simulated = await provider(folder, '--latency', '40ms')
  await folder.write('tickets.csv', tickets(2_000))
  await folder.write(
    'spec.yaml',
    ticketSpec(simulated.url, 'execution: { chunk_rows: 20, chunks_in_flight: 3, concurrency: { max: 16 } }\n'),
  )
  const first = folder.start('run', 'spec.yaml')
  await until(() => simulated.requests().length > 20, 'the first process works')
  const second = folder.start('resume')
  expect(await first.ended, first.stderr()).toBe(0)
  expect(await second.ended, second.stderr()).toBe(0)
  for (const process of [first, second]) {
    expect(summaryOf(process.stdout()).rows).toMatchObject({ total: 2_000, succeeded: 2_000 })
  }
  // Each row was sent once: by one of them. Each chunk was claimed once.
  expect(simulated.requests().length).toBe(2_000)
  expect(await folder.query('select chunk_no from chunks where epoch > 1')).toEqual([])
})

it('a worker frozen past its lease and woken again can write nothing', async () => {
  const folder = await jobFolder()
  const simulated = await provider(folder, '--latency', '300ms')
  await folder.write('tickets.csv', tickets(400))
  await folder.write(
    'spec.yaml',
    ticketSpec(simulated.url, 'execution: { chunk_rows: 100, concurrency: { max: 16 }, cache: off }\n'),
  )
  const frozen = folder.start('run', 'spec.yaml')
  await until(() => simulated.requests().length > 40, 'the first process works')
  await freezeOutsideOfACommit(folder, frozen.child)
  const other = await folder.run('resume')
  expect(other.code, other.stderr).toBe(0)
  const before = await folder.query('select row_index, round, output, ended_at_ms from rows order by row_index')
  expect(before).toHaveLength(400)
  const attempts = await folder.query('select id from attempts order by id')

  frozen.child.kill('SIGCONT')
  expect(await frozen.ended, frozen.stderr()).toBe(0)
  expect(await folder.query('select row_index, round, output, ended_at_ms from rows order by row_index')).toEqual(
    before,
  )
  expect(await folder.query('select id from attempts order by id')).toEqual(attempts)
  // What it had paid for stands in the ledger, with its real figures where the answers were there.
  const states = await folder.query<{ state: string; n: number }>(
    'select state, count(*) as n from attempts group by state',
  )
  const of = (state: string) => states.find((entry) => entry.state === state)?.n ?? 0
  expect(of('booked')).toBe(400)
  expect(of('open')).toBe(0)
  expect(of('lost') + of('orphaned')).toBeGreaterThan(0)
  const ledger = (await folder.query<{ cost: number }>('select sum(cost_nano) as cost from attempts'))[0]?.cost ?? 0
  const job = (await folder.query<{ cost_nano: number }>('select cost_nano from jobs'))[0]?.cost_nano
  expect(job).toBe(ledger)
})

/** A process stopped within a commit holds the database, for as long as it is stopped: that is another story, and an error of its own. */
async function freezeOutsideOfACommit(folder: JobFolder, child: ChildProcess): Promise<void> {
  for (;;) {
    child.kill('SIGSTOP')
    // On PostgreSQL the server ends a transaction whose client says nothing more.
    if (ON_POSTGRES) return
    const database = new DatabaseSync(join(folder.dataDir, 'sluice.db'), { timeout: 500 })
    try {
      database.exec('begin immediate; rollback')
      return
    } catch {
      child.kill('SIGCONT')
    } finally {
      database.close()
    }
  }
}

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { MIGRATIONS } from '../../src/store/migrations/index.ts'
import { type JobFolder, jobFolder, provider, summaryOf, ticketSpec, tickets } from './job-folder.ts'
import { type SluiceProcess, until } from './sluice-process.ts'

const NEWER = new URL('./newer-sluice.main.ts', import.meta.url).href

/** The level of this code. */
const OWN = MIGRATIONS.length

/** The same folder under a sluice that is ahead by one step for each of these: the lowest level that can work beside it. */
const ahead = (folder: JobFolder, ...oldestLevels: readonly number[]) =>
  folder.with({ NODE_OPTIONS: `--import=${NEWER}`, NEWER_STEPS: oldestLevels.join(',') })

const level = (folder: JobFolder) => folder.query<{ level: number; oldest_level: number }>('select * from schema_level')

/** Pids of those who hold chunks. */
const holders = async (folder: JobFolder) => {
  const rows = await folder.query<{ pid: number }>(
    `select distinct pid from workers join chunks on owner = worker_id and state = 'leased'`,
  )
  return rows.map(({ pid }) => pid)
}

const holdChunks = (folder: JobFolder, workers: readonly SluiceProcess[]) =>
  until(async () => {
    const pids = await holders(folder)
    return workers.every(({ child }) => pids.includes(child.pid as number))
  }, 'each of them holds chunks')

const ended = (folder: JobFolder) => folder.count('rows')

/** Resolves when so many more rows have ended. */
async function goesOn(folder: JobFolder, rows: number): Promise<void> {
  const before = await ended(folder)
  await until(async () => (await ended(folder)) >= before + rows, `${rows} more rows end`)
}

async function underWay(rows: number) {
  const folder = await jobFolder()
  const simulated = await provider(folder, '--latency', '250ms')
  await folder.write('tickets.csv', tickets(rows))
  const execution = 'execution: { chunk_rows: 20, cache: off, concurrency: { max: 64 } }\n'
  await folder.write('spec.yaml', ticketSpec(simulated.url, execution))
  const detached = await folder.run('run', 'spec.yaml', '--detach')
  expect(detached.code, detached.stderr).toBe(0)
  // Slow on their own, so that there is work left for those who come later.
  const old = [1, 2].map(() => folder.start('worker', '--concurrency', '3', '--chunks', '2', '--drain', '30s'))
  await holdChunks(folder, old)
  return { folder, simulated, old }
}

/** One outcome for each row, each row sent once, and nothing left in anybody's hands: as a sluice of the new version says. */
async function expectAllOnce(folder: JobFolder, young: Pick<JobFolder, 'run'>, rows: number, requests: number) {
  expect(requests).toBe(rows)
  const path = join(folder.dir, 'all.jsonl')
  const written = await young.run('results', '-o', path)
  expect(written.code, written.stderr).toBe(0)
  const lines = (await readFile(path, 'utf8')).trimEnd().split('\n')
  const results = lines.map((line) => JSON.parse(line) as Record<string, unknown>)
  expect(results.filter((row) => row._status === 'ok')).toHaveLength(rows)
  expect(new Set(results.map((row) => row._row_id)).size).toBe(rows)
  expect(await folder.query('select state, count(*) as n from attempts group by state')).toEqual([
    { state: 'booked', n: rows },
  ])
  expect(await folder.query('select worker_id from workers')).toEqual([])
  expect(summaryOf((await young.run('status')).stdout)).toMatchObject({ state: 'completed' })
}

describe('a rolling upgrade', () => {
  it('old and new workers share a job over a migration that both can work with', async () => {
    const { folder, simulated, old } = await underWay(900)
    const young = ahead(folder, OWN)
    // New workers that come before the migration are told what is missing, and change nothing.
    const early = await young.run('worker', '--until-idle')
    expect(early).toMatchObject({ code: 1, stderr: expect.stringContaining('sluice migrate') })

    const migrated = await young.run('migrate')
    expect(migrated.code, migrated.stderr).toBe(0)
    expect(migrated.stderr).toContain('1 step')
    expect(await level(folder)).toEqual([{ level: OWN + 1, oldest_level: OWN }])
    await goesOn(folder, 20)

    const news = [1, 2].map(() => young.start('worker', '--until-idle', '--concurrency', '30', '--chunks', '2'))
    await holdChunks(folder, [...old, ...news])
    for (const worker of old) {
      worker.child.kill('SIGTERM')
      expect(await worker.ended, worker.stderr()).toBe(0)
    }
    // An old one that is started anew is welcome too.
    const again = folder.start('worker', '--until-idle')
    for (const worker of [...news, again]) expect(await worker.ended, worker.stderr()).toBe(0)
    await expectAllOnce(folder, young, 900, simulated.requests().length)
  }, 180_000)

  it('old workers leave in order before a step that they cannot work with, and a new one ends the job', async () => {
    const { folder, simulated, old } = await underWay(400)
    const young = ahead(folder, OWN + 1)
    await goesOn(folder, 20)
    const migrated = await young.run('migrate')
    expect(migrated.code, migrated.stderr).toBe(0)
    expect(await level(folder)).toEqual([{ level: OWN + 1, oldest_level: OWN + 1 }])
    for (const worker of old) {
      expect(await worker.ended, worker.stderr()).toBe(1)
      expect(worker.stdout()).toContain('"code":"store_version"')
      expect(worker.stderr()).toContain('newer sluice')
    }
    expect(await ended(folder)).toBeLessThan(400)
    // They have given everything back, and have finished what they had begun.
    expect(await folder.query(`select * from chunks where state = 'leased'`)).toEqual([])
    expect(await folder.query(`select * from attempts where state <> 'booked'`)).toEqual([])
    expect(await folder.count('attempts')).toBe(await ended(folder))

    for (const args of [['worker'], ['status'], ['run', 'spec.yaml', '--detach'], ['migrate']]) {
      const refused = await folder.run(...args)
      expect(refused, args.join(' ')).toMatchObject({ code: 1, stderr: expect.stringContaining('newer sluice') })
    }
    const last = await young.run('worker', '--until-idle')
    expect(last.code, last.stderr).toBe(0)
    await expectAllOnce(folder, young, 400, simulated.requests().length)
  }, 180_000)
})

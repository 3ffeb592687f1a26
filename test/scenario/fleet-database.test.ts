import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import pg from 'pg'
import { expect, it, onTestFinished } from 'vitest'
import { type Cluster, startCluster } from '../postgres/cluster.ts'
import { freshDatabase } from '../postgres/database.ts'
import { jobFolder, provider, summaryOf, ticketSpec, tickets } from './job-folder.ts'
import { type SluiceProcess, until } from './sluice-process.ts'

/** Longer than a worker may be silent before the others take it for dead. */
const OUTAGE_MS = 12_000

/** A folder whose jobs live on a server of this test alone, and their two workers at work. */
async function fleetOn(cluster: Cluster, rows: number) {
  const blob = await mkdtemp(join(tmpdir(), 'sluice-fleet-'))
  onTestFinished(() => rm(blob, { recursive: true, force: true }))
  const database = await freshDatabase(cluster.url)
  const folder = await jobFolder()
  const commands = folder.with({ SLUICE_DATABASE_URL: database.url, SLUICE_BLOB_URL: pathToFileURL(blob).href })
  const simulated = await provider(folder, '--latency', '150ms')
  await folder.write('tickets.csv', tickets(rows))
  await folder.write('spec.yaml', ticketSpec(simulated.url, 'execution: { chunk_rows: 50, cache: off }\n'))
  const detached = await commands.run('run', 'spec.yaml', '--detach')
  expect(detached.code, detached.stderr).toBe(0)
  const workers = [1, 2].map(() => commands.start('worker', '--chunks', '3', '--concurrency', '8', '--until-idle'))
  await until(() => simulated.requests().length > 40, 'both work')
  const query = async <T>(sql: string): Promise<readonly T[]> => {
    const client = new pg.Client({ connectionString: database.url })
    await client.connect()
    try {
      return (await client.query(sql)).rows as readonly T[]
    } finally {
      await client.end()
    }
  }
  return { commands, simulated, workers, query }
}

const phase = (worker: SluiceProcess) => /"phase":"(\w+)"(?!.*"phase")/s.exec(worker.stdout())?.[1]

it('a database that is away for longer than a worker may be silent costs nothing: no row is sent twice, no job pauses', async () => {
  const cluster = await startCluster()
  onTestFinished(() => cluster.remove())
  const { commands, simulated, workers, query } = await fleetOn(cluster, 600)
  await cluster.stop()
  const stopped = performance.now()
  await until(() => workers.every((worker) => phase(worker) === 'storage'), 'both have noticed')
  const lost = await commands.run('status')
  expect([lost.code, lost.stderr]).toEqual([1, expect.stringContaining('SLUICE_DATABASE_URL')])
  await until(() => performance.now() - stopped > OUTAGE_MS, 'the others would take them for dead')
  const sent = simulated.requests().length
  await cluster.start()
  for (const worker of workers) expect(await worker.ended, worker.stderr()).toBe(0)
  expect(sent).toBeLessThan(600)
  expect(summaryOf((await commands.run('status')).stdout)).toMatchObject({
    state: 'completed',
    rows: { succeeded: 600 },
  })
  expect(simulated.requests()).toHaveLength(600)
  expect(await query("select state from attempts where state <> 'booked'")).toEqual([])
  expect(await query('select chunk_no from chunks where epoch > 1')).toEqual([])
  expect(await query(`select seq from events where type = 'job.state' and data like '%paused%'`)).toEqual([])
}, 180_000)

it('workers that are too old for what others have made of the database finish what they have in flight and say so', async () => {
  const cluster = await startCluster()
  onTestFinished(() => cluster.remove())
  const { simulated, workers, query } = await fleetOn(cluster, 2_000)
  await query('update schema_level set level = 99, oldest_level = 99')
  for (const worker of workers) {
    expect(await worker.ended).toBe(1)
    expect(worker.stderr()).toContain('by a newer sluice')
    expect(worker.stdout()).toContain('"code":"store_version"')
  }
  const requests = simulated.requests().length
  expect(requests).toBeLessThan(2_000)
  expect(await query("select state from attempts where state <> 'booked'")).toEqual([])
  expect(await query('select id from attempts')).toHaveLength(requests)
  expect(await query("select chunk_no from chunks where state = 'leased'")).toEqual([])
}, 120_000)

import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import pg from 'pg'
import { startCluster } from '../test/postgres/cluster.ts'
import { onlooker } from '../test/postgres/onlooker.ts'
import { writeBenchSpec, writeTickets } from './bench-input.ts'
import { inTempDir, startInstantServer } from './contest.ts'

/**
 * One job on PostgreSQL with 1, 2 and 4 workers against an instant provider, all on this machine: rows per second, and what a row costs the
 * workers and the database. `npm run bench:fleet [rows] [workers…]`.
 */
const [rows = 1_000_000, ...given] = process.argv.slice(2).map(Number)
const fleets = given.length > 0 ? given : [1, 2, 4]
const BIN = new URL('../dist/cli/main.js', import.meta.url).pathname

const TOTALS = `select (select sum(xact_commit) from pg_stat_database) as commits, pg_current_wal_lsn() - '0/0'::pg_lsn as wal`
const DONE = `select count(*) as n from chunks where state = 'done'`
const ENDED = `select count(*) as n from jobs where state = 'completed'`
const SIZE = `select pg_total_relation_size('chunks') as chunks,
  (select sum(pg_total_relation_size(inhrelid)) from pg_inherits where inhparent in ('rows'::regclass, 'attempts'::regclass))
    + pg_total_relation_size('answers') as bytes`

await inTempDir(async (dir) => {
  await writeTickets(join(dir, 'tickets.csv'), rows)
  for (const workers of fleets) console.log(await measure(join(dir, String(workers)), dir, workers))
})

async function measure(blobDir: string, dir: string, workers: number): Promise<string> {
  // As a database is run that must keep what it was told.
  const cluster = await startCluster(['fsync=on', 'full_page_writes=on', 'shared_buffers=512MB', 'max_wal_size=4GB'])
  const server = await startInstantServer()
  const spec = await writeBenchSpec(dir, server.port, 64)
  const env = { ...process.env, SLUICE_DATABASE_URL: cluster.url, SLUICE_BLOB_URL: pathToFileURL(blobDir).href }
  const sluice = (...args: string[]) => spawnSync(process.execPath, [BIN, ...args], { env, encoding: 'utf8' })
  const client = new pg.Client(onlooker(cluster.url))
  await client.connect()
  const ask = async <T>(text: string) => (await client.query(text)).rows[0] as T
  const fleet: ChildProcess[] = []
  try {
    for (const args of [['migrate'], ['run', spec, '--detach']]) {
      const done = sluice(...args)
      if (done.status !== 0) throw new Error(done.stderr)
    }
    const before = await ask<Totals>(TOTALS)
    const databaseCpuMs = cpuOfDatabase(cluster.url)
    for (let n = 0; n < workers; n += 1) {
      fleet.push(spawn(process.execPath, [BIN, 'worker', '--concurrency', '64'], { env, stdio: 'ignore' }))
    }
    while ((await ask<{ n: number }>(DONE)).n === 0) await sleep(20)
    const [began, doneAtFirst] = [performance.now(), (await ask<{ n: number }>(DONE)).n]
    while ((await ask<{ n: number }>('select open_chunks as n from jobs')).n > 0) await sleep(100)
    const seconds = (performance.now() - began) / 1000
    while ((await ask<{ n: number }>(ENDED)).n === 0) await sleep(50)
    const finalizing = (performance.now() - began) / 1000 - seconds
    const after = await ask<Totals>(TOTALS)
    const workerCpuMs = fleet.reduce((sum, { pid }) => sum + cpuOf(pid ?? 0), 0)
    const size = await ask<{ bytes: number; chunks: number }>(SIZE)
    const readingBegan = performance.now()
    sluice('results', '-o', join(blobDir, 'results.jsonl'))
    const reading = (performance.now() - readingBegan) / 1000
    const chunks = (await ask<{ n: number }>('select chunks_total as n from jobs')).n
    const per = (total: number) => (total / rows).toFixed(3)
    return [
      `${String(workers).padStart(2)} workers`,
      `${Math.round(((chunks - doneAtFirst) * (rows / chunks)) / seconds)} rows/s`,
      `${Math.round((workerCpuMs / rows) * 1000)} µs of a worker's CPU a row`,
      `${Math.round(((cpuOfDatabase(cluster.url) - databaseCpuMs) / rows) * 1000)} µs of the database's`,
      `${per(after.commits - before.commits)} transactions a row`,
      `${Math.round(size.bytes / rows)} B stored and ${Math.round((after.wal - before.wal) / rows)} B of WAL a row, ${Math.round(size.chunks / chunks)} B a chunk`,
      `${finalizing.toFixed(1)} s to finalize`,
      `${Math.round(rows / reading)} rows/s of results read`,
    ].join('   ')
  } finally {
    for (const worker of fleet) worker.kill('SIGKILL')
    await client.end()
    server.stop()
    await cluster.remove()
  }
}

interface Totals {
  readonly commits: number
  readonly wal: number
}

/** CPU that a process has used so far. */
function cpuOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  // utime and stime, in hundredths of a second; with those of children that have ended.
  return [11, 12, 13, 14].reduce((sum, at) => sum + Number(fields[at] ?? 0) * 10, 0)
}

/** CPU of the server and of all its processes. */
function cpuOfDatabase(url: string): number {
  const port = new URL(url).port
  const [parent] = execFileSync('pgrep', ['-f', `port=${port}`], { encoding: 'utf8' })
    .trim()
    .split('\n')
  const children = execFileSync('pgrep', ['-P', parent ?? ''], { encoding: 'utf8' })
    .trim()
    .split('\n')
  const all = children.flatMap((child) => [child, ...below(child)])
  return all.reduce((sum, pid) => sum + cpuOf(Number(pid)), 0)
}

function below(pid: string): readonly string[] {
  const found = spawnSync('pgrep', ['-P', pid], { encoding: 'utf8' }).stdout.trim()
  return found === '' ? [] : found.split('\n')
}

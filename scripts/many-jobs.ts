import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import pg from 'pg'
import { startCluster } from '../test/postgres/cluster.ts'
import { onlooker } from '../test/postgres/onlooker.ts'
import { runManyJobs } from '../test/scenario/many-jobs-trial.ts'
import { startSimulatedProvider } from '../test/scenario/simulated-provider.ts'

/**
 * `npm run trial:many-jobs -- [--jobs 10000] [--workers 2] [--big-rows 5000] [--latency 20ms]`: small jobs of 1 to 3 rows, queued at once behind a
 * big one on a PostgreSQL of their own; prints how long they waited, and what the queue cost. Exit 1 where a job did not complete.
 */
const { values } = parseArgs({
  options: {
    jobs: { type: 'string', default: '10000' },
    workers: { type: 'string', default: '2' },
    'big-rows': { type: 'string', default: '5000' },
    latency: { type: 'string', default: '20ms' },
  },
})

/** As a database is run that must keep what it was told; and it counts what each statement costs. */
const SETTINGS = [
  'fsync=on',
  'full_page_writes=on',
  'shared_buffers=512MB',
  'shared_preload_libraries=pg_stat_statements',
]

/** What the work took, without the queueing. */
const WHOLE = 'select sum(calls) as calls, round(sum(total_exec_time)) as ms from pg_stat_statements'

/** The dearest statements, in ms of the server's time. */
const STATEMENTS = `select calls, round(mean_exec_time::numeric, 2) as mean_ms, round(max_exec_time::numeric, 1) as max_ms,
    round(total_exec_time::numeric) as total_ms, regexp_replace(query, '\\s+', ' ', 'g') as statement
  from pg_stat_statements order by total_exec_time desc limit 12`

/** Of them all, the one by which workers take messages. */
const FETCH = `select calls, round(mean_exec_time::numeric, 2) as mean_ms, round(max_exec_time::numeric, 1) as max_ms
  from pg_stat_statements where query like '%as "isFirst"%' order by calls desc limit 1`

const began = performance.now()
const log = (line: string) => console.error(`${((performance.now() - began) / 1000).toFixed(1).padStart(7)} s  ${line}`)

const dir = await mkdtemp(join(tmpdir(), 'sluice-many-jobs-'))
const cluster = await startCluster(SETTINGS)
const provider = await startSimulatedProvider(['--latency', values.latency], join(dir, 'requests.ndjson'))
const pool = new pg.Pool({ ...onlooker(cluster.url), max: 2 })
const query = async <T>(sql: string) => (await pool.query(sql)).rows as readonly T[]
try {
  await query('create extension pg_stat_statements schema public')
  const figures = await runManyJobs({
    dir,
    env: { SLUICE_DATABASE_URL: cluster.url, SLUICE_BLOB_URL: pathToFileURL(join(dir, 'blob')).href },
    providerUrl: provider.url,
    jobs: Number(values.jobs),
    bigRows: Number(values['big-rows']),
    workers: Number(values.workers),
    query,
    log,
    onQueued: () => query('select pg_stat_statements_reset()'),
  })
  for (const line of await query<Record<string, string>>(STATEMENTS)) {
    const { calls, mean_ms, max_ms, total_ms, statement } = line
    log(`${total_ms} ms in ${calls} calls (mean ${mean_ms}, at most ${max_ms}): ${statement?.slice(0, 150)}`)
  }
  const [statements] = await query<object>(WHOLE)
  const [fetch] = await query<object>(FETCH)
  const requests = provider.requests().length
  console.log(JSON.stringify({ ...figures, requests, statements, fetch }, null, 2))
  const kept = figures.incomplete.length === 0 && figures.workersFailed.length === 0 && requests === figures.rows
  process.exitCode = kept ? 0 : 1
} finally {
  await pool.end()
  await provider.stop()
  await cluster.remove()
  await rm(dir, { recursive: true, force: true, maxRetries: 10 })
}

import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import pg from 'pg'
import { onlooker } from '../../postgres/onlooker.ts'
import { sluice, until } from '../sluice-process.ts'
import { parseResults, type ResultRow } from '../two-ledgers.ts'
import { AUDIT } from './records.ts'

/** Where the trial takes place: its jobs, and what it reads of the database itself, beside all links. */
export interface Stage {
  /** Ids of all jobs, as they were submitted. */
  readonly jobs: readonly string[]
  /** The environment of a worker whose database is behind a port of this machine. */
  env(port: number, name: string): Readonly<Record<string, string>>
  submit(): Promise<void>
  /** Jobs that have not ended. `null`: the database does not answer. */
  underWay(): Promise<number | null>
  /** Ids of the attempts that the process has open, in chunks that are still its own. */
  openOf(pid: number): Promise<readonly string[]>
  allOver(): Promise<void>
  results(job: string): Promise<readonly ResultRow[]>
  close(): Promise<void>
}

export interface StageOptions {
  readonly dir: string
  /** Of a database of its own, superuser. */
  readonly databaseUrl: string
  readonly providerUrl: string
  readonly rows: number
  readonly concurrency: number
  readonly log: (line: string) => void
}

/** The open attempts of a worker process, found by what it said when it joined. */
const OPEN_OF = `select encode(a.id, 'hex') as id from workers w
  join chunks c on c.owner = w.worker_id and c.state = 'leased'
  join attempts a on a.job_no = c.job_no and a.chunk_no = c.chunk_no and a.epoch = c.epoch
  where w.pid = $1 and a.state = 'open'`

/** Sets the stage: input, spec, the database's tables, and what keeps watch over them. */
export async function setStage(options: StageOptions): Promise<Stage> {
  const { dir, databaseUrl, log } = options
  const spec = join(dir, 'spec.yaml')
  await writeFile(join(dir, 'rows.csv'), inputText(options.rows))
  await writeFile(spec, specText(options))
  const jobs: string[] = []
  const env = {
    SLUICE_DATABASE_URL: databaseUrl,
    SLUICE_BLOB_URL: pathToFileURL(join(dir, 'blob')).href,
  }
  const run = (...args: string[]) => sluice(args, { cwd: dir, env })
  const migrated = await run('migrate')
  if (migrated.code !== 0) throw new Error(migrated.stderr)
  const pool = new pg.Pool({ ...onlooker(databaseUrl), max: 2, connectionTimeoutMillis: 2_000 })
  pool.on('error', (error) => log(`(the trial's own connection: ${error.message})`))
  await pool.query(AUDIT)
  const ask = async <T>(text: string, values: readonly unknown[] = []) =>
    (await pool.query(text, [...values])).rows as readonly T[]
  const underWay = async () => {
    const text = `select count(*)::int as n from jobs where state not in ('completed', 'failed', 'cancelled')`
    return (await ask<{ n: number }>(text).catch(() => null))?.[0]?.n ?? null
  }
  return {
    jobs,
    env: (port, name) => ({ ...env, SLUICE_DATABASE_URL: throughPort(databaseUrl, port, name) }),
    async submit() {
      const submitted = await run('run', spec, '--detach')
      const id = /job_[0-9a-f-]{36}/.exec(submitted.stdout)?.[0]
      // The database may be down just now: then another time.
      if (submitted.code !== 0 || id === undefined) return log(`(not submitted: ${errorIn(submitted.stderr)})`)
      jobs.push(id)
      log(`submitted ${id}`)
    },
    underWay,
    openOf: async (pid) => (await ask<{ id: string }>(OPEN_OF, [pid])).map(({ id }) => id),
    allOver: () => until(async () => (await underWay()) === 0, 'every job ends', 900_000),
    async results(job) {
      const path = join(dir, `${job}.jsonl`)
      const done = await run('results', job, '-o', path)
      if (done.code !== 0) throw new Error(done.stderr)
      const rows = parseResults(await readFile(path, 'utf8'))
      return rows.map(({ row, status }) => ({ row: `${job}/${row}`, status }))
    },
    close: () => pool.end(),
  }
}

/** The same database through a port of this machine; the session says whose it is, for those who keep watch. */
function throughPort(databaseUrl: string, port: number, name: string): string {
  const url = new URL(databaseUrl)
  url.port = String(port)
  url.searchParams.set('options', `-c chaos.worker=${name}`)
  return url.href
}

function errorIn(text: string): string {
  return text.split('\n').find((line) => line.includes('error')) ?? text
}

function inputText(rows: number): string {
  const lines = Array.from({ length: rows }, (_, index) => `"my card ${index} was declined,\nwhat now?"`)
  return `text\n${lines.join('\n')}\n`
}

function specText({ providerUrl, concurrency }: StageOptions): string {
  return `version: 1
name: chaos
input: { source: rows.csv }
model:
  id: openai-compatible/simulated
  base_url: ${providerUrl}/v1
  params: { max_output_tokens: 100 }
  price: { input: "0.25", output: "2.00" }
execution: { concurrency: { max: ${concurrency} }, cache: off, chunk_rows: 50, chunk_attempts: 100 }
prompt: { user: "{{ text }}" }
output: { fields: { topic: "enum[card, transfer, other]" } }
`
}

import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { onTestFinished } from 'vitest'
import { type SimulatedProvider, startSimulatedProvider } from './simulated-provider.ts'
import { sluice, startSluice } from './sluice-process.ts'

/** A folder with a spec, its input and a data directory, for one test. */
export interface JobFolder {
  readonly dir: string
  readonly dataDir: string
  /** Runs `sluice …` in the folder, with its data directory. */
  run(...args: string[]): ReturnType<typeof sluice>
  start(...args: string[]): ReturnType<typeof startSluice>
  write(name: string, text: string): Promise<string>
  /** Rows of the newest job's results. */
  results(): Promise<readonly Record<string, unknown>[]>
  /** Asks the store, as any process may. */
  query<T>(sql: string): readonly T[]
  /** How many rows of a table there are; 0 as long as nobody has made the store. */
  count(from: string): number
}

/** Makes the folder; it goes when the test is over. */
export async function jobFolder(env: Readonly<Record<string, string>> = {}): Promise<JobFolder> {
  const dir = await mkdtemp(join(tmpdir(), 'sluice-test-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true, maxRetries: 10 }))
  const dataDir = join(dir, 'data')
  const options = { cwd: dir, env: { SLUICE_DATA_DIR: dataDir, ...env } }
  const query = <T>(sql: string): readonly T[] => {
    const database = new DatabaseSync(join(dataDir, 'sluice.db'), { readOnly: true, timeout: 5_000 })
    try {
      return database.prepare(sql).all() as unknown as readonly T[]
    } finally {
      database.close()
    }
  }
  const count = (from: string) => {
    if (!existsSync(join(dataDir, 'sluice.db'))) return 0
    try {
      return query<{ n: number }>(`select count(*) as n from ${from}`)[0]?.n ?? 0
    } catch (error) {
      // Before its first migration, or while that goes on.
      if (error instanceof Error && /no such table|unable to open|locked/.test(error.message)) return 0
      throw error
    }
  }
  return {
    dir,
    dataDir,
    run: (...args) => sluice(args, options),
    start: (...args) => startSluice(args, options),
    async write(name, text) {
      await writeFile(join(dir, name), text)
      return join(dir, name)
    },
    async results() {
      const [job] = query<{ id: string }>('select id from jobs order by job_no desc limit 1')
      const path = join(dir, 'results-read.jsonl')
      const done = await sluice(['results', job?.id ?? '', '-o', path], options)
      if (done.code !== 0) throw new Error(done.stderr)
      const lines = (await readFile(path, 'utf8')).split('\n').filter((line) => line !== '')
      return lines.map((line) => JSON.parse(line) as Record<string, unknown>)
    },
    query,
    count,
  }
}

/** A simulated provider for one test. */
export async function provider(folder: JobFolder, ...flags: string[]): Promise<SimulatedProvider> {
  const started = await startSimulatedProvider(
    flags,
    join(folder.dir, `requests-${flags.length}-${performance.now()}.ndjson`),
  )
  onTestFinished(() => started.stop())
  return started
}

/** A CSV of `rows` tickets with a key. */
export function tickets(rows: number): string {
  const lines = Array.from(
    { length: rows },
    (_, index) => `t${index},"I was charged twice, please refund number ${index}"`,
  )
  return `id,text\n${lines.join('\n')}\n`
}

/** A spec over `tickets.csv` that asks the simulator at `url`. `more` goes in at the top level. */
export function ticketSpec(url: string, more = ''): string {
  return `version: 1
name: tickets
input: { source: tickets.csv, key: id }
model:
  id: openai-compatible/simulated
  base_url: ${url}/v1
  params: { max_output_tokens: 100 }
  price: { input: "0.25", output: "2.00" }
prompt: { user: "{{ text }}" }
output: { fields: { topic: "enum[billing, login, refund, other]", urgent: boolean } }
${more}`
}

/** The summary line that ends a command's stdout. */
export function summaryOf(stdout: string): Record<string, unknown> & { readonly rows: SummaryRows } {
  const last = stdout.trimEnd().split('\n').at(-1) ?? ''
  const parsed = JSON.parse(last) as { type: string }
  if (parsed.type !== 'summary') throw new Error(`the last line is no summary: ${last}`)
  return parsed as never
}

/** The counts of a summary line. */
export interface SummaryRows {
  readonly total: number
  readonly succeeded: number
  readonly failed: number
  readonly skipped: number
  readonly cancelled: number
  readonly cached: number
}

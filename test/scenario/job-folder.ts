import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { openBackEnd } from './back-end.ts'
import { type SimulatedProvider, startSimulatedProvider } from './simulated-provider.ts'
import { sluice, startSluice } from './sluice-process.ts'

export { ticketSpec, tickets } from './ticket-job.ts'

/** A folder with a spec and its input, and the state of its jobs on the back end of this run, for one test. */
export interface JobFolder {
  readonly dir: string
  /** Where one machine keeps its state: only there. */
  readonly dataDir: string
  /** What its commands find in their environment. */
  readonly env: Readonly<Record<string, string>>
  /** Runs `sluice …` in the folder. */
  run(...args: string[]): ReturnType<typeof sluice>
  start(...args: string[]): ReturnType<typeof startSluice>
  /** The same folder, with more in the environment. */
  with(env: Readonly<Record<string, string>>): Pick<JobFolder, 'run' | 'start'>
  write(name: string, text: string): Promise<string>
  /** Rows of the newest job's results. */
  results(): Promise<readonly Record<string, unknown>[]>
  /** Asks the store, as any process may. */
  query<T>(sql: string): Promise<readonly T[]>
  /** Changes the store from beside: for what nobody lives long enough to wait for. */
  tell(sql: string): Promise<void>
  /** How many rows of a table there are; 0 as long as nobody has made the store. */
  count(from: string): Promise<number>
}

/** Makes the folder; it goes when the test is over. */
export async function jobFolder(more: Readonly<Record<string, string>> = {}): Promise<JobFolder> {
  const dir = await mkdtemp(join(tmpdir(), 'sluice-test-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true, maxRetries: 10 }))
  const backEnd = await openBackEnd(dir)
  onTestFinished(() => backEnd.close())
  const env = { ...backEnd.env, ...more }
  const commands = (given: Readonly<Record<string, string>>) => ({
    run: (...args: string[]) => sluice(args, { cwd: dir, env: given }),
    start: (...args: string[]) => startSluice(args, { cwd: dir, env: given }),
  })
  return {
    dir,
    dataDir: join(dir, 'data'),
    env,
    ...commands(env),
    with: (others) => commands({ ...env, ...others }),
    async write(name, text) {
      await writeFile(join(dir, name), text)
      return join(dir, name)
    },
    async results() {
      const [job] = await backEnd.query<{ id: string }>('select id from jobs order by job_no desc limit 1')
      const path = join(dir, 'results-read.jsonl')
      const done = await commands(env).run('results', job?.id ?? '', '-o', path)
      if (done.code !== 0) throw new Error(done.stderr)
      const lines = (await readFile(path, 'utf8')).split('\n').filter((line) => line !== '')
      return lines.map((line) => JSON.parse(line) as Record<string, unknown>)
    },
    query: backEnd.query,
    tell: backEnd.tell,
    count: async (from) => (await backEnd.query<{ n: number }>(`select count(*) as n from ${from}`))[0]?.n ?? 0,
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

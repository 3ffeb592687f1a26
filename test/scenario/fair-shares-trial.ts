import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openEngine } from '../../src/compose.ts'
import { readConfig } from '../../src/config.ts'
import type { Engine } from '../../src/engine.ts'
import { systemRuntime } from '../../src/runtime.ts'
import { type SluiceProcess, startSluice, until } from './sluice-process.ts'
import { ticketSpec, tickets } from './ticket-job.ts'

/** Many tenants with many jobs each, who fight for the tokens a minute of one account. */
export interface FairSharesOptions {
  /** For specs and input. */
  readonly dir: string
  /** Where the state lies, as `sluice` finds it in its environment. */
  readonly env: Readonly<Record<string, string>>
  readonly providerUrl: string
  readonly tenants: number
  readonly jobs: number
  readonly rows: number
  readonly chunkRows: number
  readonly workers: number
  readonly tpm: number
  /** What is measured over, from when all are at work. */
  readonly seconds: number
  /** Asks the store, and changes it, beside everybody. */
  readonly query: <T>(sql: string) => Promise<readonly T[]>
  readonly tell: (sql: string) => Promise<void>
  /** Gives the messages in the queue to the tenants of their jobs. */
  readonly giveMessages: string
  readonly log: (line: string) => void
}

/** What a tenant had while they were measured: the tokens that the requests begun in that time took, as the provider counted them. */
export interface TenantShare {
  readonly tenantNo: number
  readonly weight: number
  readonly tokens: number
  /** How far that is from what its weight should have brought it: 0.1 is a tenth more. */
  readonly deviation: number
}

export interface FairSharesFigures {
  readonly tokensPerMinute: number
  readonly largestDeviation: number
  readonly shares: readonly TenantShare[]
}

/** Every fifth tenant counts for two; every second one asks with prompts that are five times as long. */
const weightOf = (n: number) => (n % 5 === 0 ? 2 : 1)
const LONG = ' Please answer with care.'.repeat(12)
/** Workers that have just begun take their chunks in one after the other. */
const WARM_UP_MS = 15_000
/** The first tenant is there, and has nothing to do. */
const FIRST = 2
const AT_ONCE = 8

/** Queues all jobs, lets the workers work for so long, and says who had how much. */
export async function runFairShares(options: FairSharesOptions): Promise<FairSharesFigures> {
  const { env, tenants, workers, seconds, log, dir } = options
  await queueAll(options)
  log(`queued ${tenants * options.jobs} jobs of ${tenants} tenants`)
  const fleet = startWorkers(workers, dir, env)
  try {
    await until(async () => (await tenantsServed(options)) === tenants, 'each tenant has been served', 120_000)
    const fromMs = Date.now() + WARM_UP_MS
    const toMs = fromMs + seconds * 1000
    await sleepUntil(toMs, options)
    // What is still under way stands at its worst case in the ledger: six times what a request takes here.
    await until(async () => (await openAttempts(options, fromMs, toMs)) === 0, 'what was begun has ended', 60_000)
    return await read(options, fromMs, toMs)
  } finally {
    await stop(fleet)
  }
}

function startWorkers(count: number, cwd: string, env: Readonly<Record<string, string>>): readonly SluiceProcess[] {
  return Array.from({ length: count }, () => startSluice(['worker'], { cwd, env }))
}

async function stop(fleet: readonly SluiceProcess[]): Promise<void> {
  for (const worker of fleet) worker.child.kill('SIGKILL')
  await Promise.all(fleet.map((worker) => worker.ended))
}

async function sleepUntil(ms: number, options: FairSharesOptions): Promise<void> {
  const leftMs = ms - Date.now()
  if (leftMs <= 0) return
  const [held] = await options.query<{ n: number }>("select count(*) as n from chunks where state = 'leased'")
  options.log(`${Math.round(leftMs / 1000)} s to go, ${held?.n} chunks are held`)
  await new Promise((resolve) => setTimeout(resolve, Math.min(leftMs, 10_000)))
  await sleepUntil(ms, options)
}

async function queueAll(options: FairSharesOptions): Promise<void> {
  const { dir, env, tenants, jobs } = options
  await writeSpecs(options)
  const engine = await openEngine(readConfig({}, env, dir), systemRuntime(), 'trial')
  try {
    const owners = Array.from({ length: tenants * jobs }, (_, n) => FIRST + (n % tenants))
    const idsOf = await submitAll(engine, dir, owners)
    for (const [tenantNo, ids] of idsOf) await options.tell(giveTo(tenantNo, ids))
    await options.tell(options.giveMessages)
  } finally {
    await engine.close()
  }
}

async function writeSpecs({ dir, providerUrl, rows, chunkRows, tpm }: FairSharesOptions): Promise<void> {
  await writeFile(join(dir, 'tickets.csv'), tickets(rows))
  const execution = `execution: { chunk_rows: ${chunkRows}, cache: off, concurrency: { max: 64 }, limits: { tpm: ${tpm} } }\n`
  const spec = ticketSpec(providerUrl, execution)
  await writeFile(join(dir, 'short.yaml'), spec)
  await writeFile(join(dir, 'long.yaml'), spec.replace('{{ text }}', `{{ text }}${LONG}`))
}

async function submitAll(engine: Engine, dir: string, owners: readonly number[]) {
  const idsOf = new Map<number, string[]>()
  let next = 0
  const submitter = async () => {
    while (next < owners.length) {
      const tenantNo = owners[next] as number
      next += 1
      const specPath = join(dir, tenantNo % 2 === 0 ? 'short.yaml' : 'long.yaml')
      const { job } = await engine.submit({ specPath })
      idsOf.set(tenantNo, [...(idsOf.get(tenantNo) ?? []), job.id])
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, submitter))
  return idsOf
}

/** The command line works for the first tenant: what it has queued is given to another. */
function giveTo(tenantNo: number, ids: readonly string[]): string {
  const these = ids.map((id) => `'${id}'`).join(', ')
  return `
    insert into tenants (tenant_no, name, weight) values (${tenantNo}, 'tenant-${tenantNo}', ${weightOf(tenantNo)});
    insert into specs (tenant_no, hash, name, canonical_json, created_at_ms)
      select ${tenantNo}, hash, name, canonical_json, created_at_ms from specs where tenant_no = 1;
    update jobs set tenant_no = ${tenantNo} where id in (${these});`
}

async function tenantsServed({ query }: FairSharesOptions): Promise<number> {
  const [row] = await query<{ n: number }>(
    'select count(distinct j.tenant_no) as n from attempts a join jobs j on j.job_no = a.job_no',
  )
  return Number(row?.n ?? 0)
}

async function openAttempts({ query }: FairSharesOptions, fromMs: number, toMs: number): Promise<number> {
  const [row] = await query<{ n: number }>(
    `select count(*) as n from attempts where state = 'open' and started_at_ms >= ${fromMs} and started_at_ms < ${toMs}`,
  )
  return Number(row?.n ?? 0)
}

async function read({ query, seconds }: FairSharesOptions, fromMs: number, toMs: number): Promise<FairSharesFigures> {
  const rows = await query<{ tenantNo: number; weight: number; tokens: number | null }>(`
    select t.tenant_no as "tenantNo", t.weight as weight, (
      select sum(a.input_tokens + a.output_tokens) from attempts a join jobs j on j.job_no = a.job_no
      where j.tenant_no = t.tenant_no and a.started_at_ms >= ${fromMs} and a.started_at_ms < ${toMs}
    ) as tokens
    from tenants t where t.tenant_no >= ${FIRST} order by t.tenant_no`)
  const had = rows.map((row) => ({ ...row, tokens: Number(row.tokens ?? 0) }))
  const [tokens, weights] = [sum(had.map((row) => row.tokens)), sum(had.map((row) => row.weight))]
  const shares = had.map((row) => ({ ...row, deviation: row.tokens / ((tokens * row.weight) / weights) - 1 }))
  const largestDeviation = Math.max(...shares.map((share) => Math.abs(share.deviation)))
  return { tokensPerMinute: Math.round((tokens * 60) / seconds), largestDeviation, shares }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0)
}

/** A small job beside a large one of another tenant. Times from when it was queued until it was over, ms. */
export interface BesideFigures {
  readonly aloneMs: number
  readonly besideMs: number
  readonly bigRowsDone: number
}

/** How long ten rows take alone, and while a million rows of another tenant are worked on. */
export async function runBesideBig(
  options: Omit<FairSharesOptions, 'tenants' | 'jobs' | 'rows'> & { readonly bigRows: number },
): Promise<BesideFigures> {
  const { dir, env, workers, bigRows, query, log, providerUrl } = options
  const execution = 'execution: { cache: off, concurrency: { max: 64 } }\n'
  for (const [name, rows] of [
    ['big', bigRows],
    ['small', 10],
  ] as const) {
    await writeFile(join(dir, `${name}.csv`), tickets(rows))
    await writeFile(join(dir, `${name}.yaml`), ticketSpec(providerUrl, execution).replace('tickets.csv', `${name}.csv`))
  }
  const engine = await openEngine(readConfig({}, env, dir), systemRuntime(), 'trial')
  const small = async () => {
    const { job } = await engine.submit({ specPath: join(dir, 'small.yaml') })
    const queuedMs = Date.now()
    const ended = async () =>
      (await query<{ ms: number | null }>(`select ended_at_ms as ms from jobs where id = '${job.id}'`))[0]?.ms
    await until(async () => (await ended()) != null, 'the small job is over', 120_000)
    return Number(await ended()) - queuedMs
  }
  const first = startWorkers(workers, dir, env)
  try {
    await small()
    const aloneMs = await small()
    await stop(first)
    const { job } = await engine.submit({ specPath: join(dir, 'big.yaml') })
    log(`queued ${bigRows} rows`)
    await options.tell(giveTo(FIRST, [job.id]))
    await options.tell(options.giveMessages)
    const fleet = startWorkers(workers, dir, env)
    try {
      const done = async () =>
        Number(
          (await query<{ n: number }>(`select count(*) as n from attempts where job_no = ${job.jobNo}`))[0]?.n ?? 0,
        )
      await until(async () => (await done()) > 500, 'the large job is worked on', 120_000)
      const besideMs = await small()
      return { aloneMs, besideMs, bigRowsDone: await done() }
    } finally {
      await stop(fleet)
    }
  } finally {
    await stop(first)
    await engine.close()
  }
}

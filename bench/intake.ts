import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { openFileBlob } from '../src/blob/file.ts'
import { AS_SPECIFIED } from '../src/domain/job.ts'
import type { Spec } from '../src/domain/spec.ts'
import { runIntake } from '../src/intake/run-intake.ts'
import { sha256, systemRuntime } from '../src/runtime.ts'
import { openSqliteStore } from '../src/store/sqlite.ts'
import { DEFAULT_TENANT } from '../src/store/store.ts'

/**
 * Intake of a large CSV: scanning, parsing, snapshot, hashes and manifest, all durable. Prints rows/s and the peak of the process's memory.
 * `node bench/intake.ts [--rows 1000000] [--key ticket_id] [--file big.csv]`
 */
const { values } = parseArgs({
  options: { rows: { type: 'string', default: '1000000' }, key: { type: 'string' }, file: { type: 'string' } },
})
const dir = await mkdtemp(join(tmpdir(), 'sluice-bench-'))
try {
  const file = values.file ?? join(dir, 'big.csv')
  if (values.file === undefined) {
    const { spawnSync } = await import('node:child_process')
    // In a process of its own: what writing it takes is not to be measured.
    const writer = `import { writeBigCsv } from ${JSON.stringify(import.meta.resolve('./big-csv.ts'))}; await writeBigCsv(${JSON.stringify(file)}, ${Number(values.rows)})`
    const made = spawnSync(process.execPath, ['--input-type=module', '-e', writer], { stdio: 'inherit' })
    if (made.status !== 0) throw new Error('the file could not be written')
  }
  await measure(file, dir, values.key ?? null)
} finally {
  await rm(dir, { recursive: true, force: true })
}

async function measure(file: string, work: string, key: string | null): Promise<void> {
  const runtime = systemRuntime()
  const store = await openSqliteStore({ path: join(work, 'sluice.db'), runtime, version: 'bench' })
  const { job } = await store.jobs.create({
    id: `job_${runtime.uuid()}`,
    tenantNo: DEFAULT_TENANT,
    specName: 'bench',
    specHash: sha256('bench'),
    trigger: 'cli',
    triggerRef: null,
    jobKey: null,
    settings: AS_SPECIFIED,
    submission: '{}',
    atMs: runtime.now(),
  })
  const input = { source: file, sql: null, format: null, key, where: null, limit: null }
  const csv = { delimiter: null, header: null, encoding: null }
  const spec = { input: { ...input, csv }, execution: { chunkRows: null } } as unknown as Spec
  const baseMb = process.memoryUsage.rss() / 2 ** 20
  const cpu = process.cpuUsage()
  const began = runtime.elapsed()
  const done = await runIntake({
    spec,
    baseDir: work,
    env: () => undefined,
    selection: null,
    job,
    blob: openFileBlob({ dir: join(work, 'blob') }),
    chunks: store.chunks,
    runtime,
    signal: new AbortController().signal,
  })
  const seconds = (runtime.elapsed() - began) / 1000
  const { user, system } = process.cpuUsage(cpu)
  await store.close()
  const figures = {
    rows: done.rows,
    mb: Math.round(done.input.bytes / 1e6),
    seconds: Number(seconds.toFixed(2)),
    rows_per_second: Math.round(done.rows / seconds),
    cpu_seconds: Number(((user + system) / 1e6).toFixed(2)),
    rss_before_mb: Math.round(baseMb),
    peak_rss_mb: Math.round(process.resourceUsage().maxRSS / 1024),
    sha256: done.inputHash,
  }
  console.log(JSON.stringify(figures, null, 2))
}

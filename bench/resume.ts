import { spawn, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { writeBenchSpec, writeTickets } from './bench-input.ts'
import { built } from './built.ts'
import { inTempDir, message, startInstantServer } from './contest.ts'

/**
 * (d) From typing `sluice resume` on a job of a million rows to its first request: goal < 2 s. The first rows are done before.
 * `npm run bench:resume [rows]`.
 */
const rows = Number(process.argv[2] ?? 1_000_000)

await inTempDir(async (dir) => {
  await writeTickets(join(dir, 'tickets.csv'), rows)
  const dataDir = join(dir, 'data')
  const first = await startInstantServer()
  const spec = await writeBenchSpec(dir, first.port, 64)
  const { openEngine, readConfig, systemRuntime } = await built()
  const engine = await openEngine(readConfig({ dataDir }), systemRuntime(), 'bench')
  const { job } = await engine.submit({ specPath: spec })
  const stop = new AbortController()
  const never = new AbortController().signal
  const firstOfAll = message(first.child, 'firstRequestAtMs')
  await engine.work(job.id, {
    signal: stop.signal,
    abandon: never,
    onStatus: (status) => {
      if (status.rowsDone >= Math.min(rows / 2, 20_000)) stop.abort()
    },
  })
  await engine.close()
  await firstOfAll
  const waiting = message<{ firstRequestAtMs: number }>(first.child, 'firstRequestAtMs').catch(() => null)
  // As the package runs it: built, with Node's compile cache.
  const bin = new URL('../dist/cli/main.js', import.meta.url).pathname
  const env = { ...process.env, NODE_COMPILE_CACHE: join(dir, 'compile-cache') }
  spawnSync(process.execPath, [bin, 'jobs', '--data-dir', dataDir], { env, stdio: 'ignore' })
  const began = Date.now()
  first.child.send('forget')
  const child = spawn(process.execPath, [bin, 'resume', job.id, '--data-dir', dataDir], { env, stdio: 'ignore' })
  const seen = await waiting
  child.kill('SIGKILL')
  first.stop()
  if (seen === null) throw new Error('no request was seen')
  console.log(
    `${rows.toLocaleString('en')} rows: first request ${seen.firstRequestAtMs - began} ms after the command (goal < 2000)`,
  )
})

import { built } from './built.ts'

/** sluice, whole: intake, rendering, requests, validation, durable outcomes. argv: data directory, spec. */
const [dataDir, spec] = process.argv.slice(2) as [string, string]
const never = new AbortController().signal
const { keepHeapSmall, openEngine, readConfig, systemRuntime } = await built()
keepHeapSmall()
const engine = await openEngine(readConfig({ dataDir }), systemRuntime(), 'bench')
const began = performance.now()
const { job } = await engine.submit({ specPath: spec })
const taken = performance.now()
const status = await engine.work(job.id, { signal: never, abandon: never })
const ended = performance.now()
await engine.close()
process.send?.({
  rows: status.counters.succeeded,
  ms: ended - taken,
  wholeMs: ended - began,
  peakMb: process.resourceUsage().maxRSS / 1024,
})

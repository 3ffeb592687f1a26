import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openEngine, startSimulator } from '../../src/compose.ts'
import { readConfig } from '../../src/config.ts'
import type { Range } from '../../src/domain/range.ts'
import { systemRuntime } from '../../src/runtime.ts'
import type { TrialSpec } from './trial-specs.ts'

/** What was planned for one spec, and what then came of it. */
export interface TrialFigures {
  readonly spec: string
  readonly rows: number
  readonly planned: number
  readonly asked: number
  readonly cost: Compared
  readonly inputTokens: Compared
  readonly outputTokens: Compared
  readonly seconds: Compared
}

/** A range and what it was for. */
export interface Compared {
  readonly low: number
  readonly high: number
  readonly actual: number
  readonly inside: boolean
  /** High end over low end. */
  readonly width: number
}

/** How long a provider of the trial takes to answer: log-normal. */
const LATENCY = { medianMs: 80, p99Ms: 400 }

const never = () => ({ signal: new AbortController().signal, abandon: new AbortController().signal })

/** Plans a spec with a pilot of `sample` rows, then runs it, and holds one against the other. */
export async function tryPlan(spec: TrialSpec, dir: string, sample: number): Promise<TrialFigures> {
  const folder = join(dir, spec.name)
  await mkdir(folder, { recursive: true })
  const runtime = systemRuntime()
  const options = { latency: LATENCY, ...spec.provider }
  const provider = await startSimulator({ options, port: 0, host: '127.0.0.1', requestLog: null }, runtime)
  const engine = await openEngine(readConfig({ dataDir: join(folder, 'data') }, {}, folder), runtime, 'trial')
  try {
    const specPath = await writeSpec(spec, folder, provider.url)
    const { plan } = await engine.plan({ specPath, pilot: { rows: sample, ...never() } })
    if (plan === null || plan.use.costNano === null || plan.time === null) throw new Error(`${spec.name}: no plan`)
    const { job } = await engine.submit({ specPath, plan })
    const { counters, elapsedMs } = await engine.work(job.id, never())
    return {
      spec: spec.name,
      rows: plan.rows.total,
      planned: plan.rows.toRun,
      asked: counters.succeeded + counters.failed - counters.cached,
      cost: compare(plan.use.costNano, counters.costNano, 1e-9),
      inputTokens: compare(plan.use.inputTokens, counters.inputTokens),
      outputTokens: compare(plan.use.outputTokens, counters.outputTokens),
      seconds: compare(plan.time.ms, elapsedMs, 1e-3),
    }
  } finally {
    await engine.close()
    await provider.close()
  }
}

function compare({ low, high }: Range, actual: number, unit = 1): Compared {
  const inside = low <= actual && actual <= high
  return { low: low * unit, high: high * unit, actual: actual * unit, inside, width: high / low }
}

async function writeSpec(spec: TrialSpec, folder: string, url: string): Promise<string> {
  const source = await spec.input(folder)
  const body = spec.body.startsWith('input: {')
    ? spec.body.replace('input: {', `input: { source: ${source},`)
    : `input: { source: ${source} }\n${spec.body}`
  const path = join(folder, 'spec.yaml')
  await writeFile(
    path,
    `version: 1
name: ${spec.name}
model:
  id: openai-compatible/simulated
  base_url: ${url}/v1
  params: { max_output_tokens: ${spec.maxOutputTokens} }
  price: { input: "0.25", output: "2.00" }
${body}
`,
  )
  return path
}

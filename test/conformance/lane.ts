import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { openEngine } from '../../src/compose.ts'
import { readConfig } from '../../src/config.ts'
import type { Engine } from '../../src/engine.ts'
import { startSimulatorServer } from '../../src/simulator/server.ts'
import { createSimulator } from '../../src/simulator/simulator.ts'
import { queryDataDir } from '../scenario/query-data-dir.ts'
import { hastyRuntime } from '../worker/hasty-runtime.ts'

/** A model by one provider's wire, answered by the simulator at `url`: the spec's lines under `model`. */
export interface LaneUnderTest {
  readonly name: string
  readonly model: (url: string) => string
}

type Row = Readonly<Record<string, unknown>>

/** What came of one job: its rows, what its ledger says was paid, and what the provider charged. */
interface Ended {
  readonly rows: readonly Row[]
  readonly ledger: readonly { readonly lane: string; readonly n: number; readonly cost: number }[]
  readonly billNano: number
}

/** How often answers go wrong: enough of each kind in these few rows. */
const FAULTS = { malformed: 0.15, schema_missing: 0.15, truncated: 0.05, refusal: 0.08, content_filter: 0.08 }

const MANY = 60
/** Row 5 has no author, row 9 is longer than the context; the others differ in their number. */
const INPUT = Array.from({ length: MANY }, (_, n) => {
  const text = `Ticket ${n}: I was charged twice${n % 4 === 0 ? ', and cannot log in' : ''}, what now?`
  return { id: `t${n}`, text: n === 9 ? text.repeat(100) : text, meta: n === 5 ? {} : { author: `author ${n}` } }
})

const PROMPT = '{ system: "You label tickets.", user: "{{ text }} ({{ meta.author }})" }'
const FIELDS = 'topic: "enum[billing, login, other]", urgent: boolean, stars: integer(1..5)'
const CHECK = '{ that: "output.stars > 1", message: "nobody gives one star" }'

/** Specs of each mode: how they ask, and which causes rows must end by, so that none of this passes for want of failures. */
const MODES = {
  'fields of a schema': {
    spec: `output: { fields: { ${FIELDS} } }`,
    causes: ['template_error', 'context_too_long'],
  },
  'plain text': { spec: '', causes: ['template_error', 'context_too_long'] },
  'checks beyond the schema': {
    spec: `output: { fields: { ${FIELDS} }, checks: [${CHECK}], on_invalid: { attempts: 2 } }`,
    causes: ['template_error', 'context_too_long', 'check_failed'],
  },
} as const

/** The same rows end alike through both lanes, whatever becomes of them; and a batch costs exactly half, in the ledger as on the bill. */
export function laneConformance({ name, model }: LaneUnderTest): void {
  describe(`lanes: ${name}`, () => {
    it.each(Object.entries(MODES))('rows end alike live and by batch: %s', async (_mode, { spec, causes }) => {
      const dir = await mkdtemp(join(tmpdir(), 'sluice-lanes-'))
      onTestFinished(() => rm(dir, { recursive: true, force: true, maxRetries: 10 }))
      await writeFile(join(dir, 'rows.jsonl'), INPUT.map((row) => `${JSON.stringify(row)}\n`).join(''))
      const [live, batch] = await Promise.all([endOf(dir, 'live', model, spec), endOf(dir, 'batch', model, spec)])
      const causesOf = ({ rows }: Ended) => new Set(rows.map(({ _error }) => _error))
      expect([...causesOf(live)]).toEqual(expect.arrayContaining([null, ...causes]))
      expect(live.rows.some(({ _status, _attempts }) => _status === 'ok' && Number(_attempts) > 1)).toBe(true)
      expect(batch.rows.map(outcome)).toEqual(live.rows.map(outcome))
      expect(live.ledger.map(({ lane }) => lane)).toEqual(['live'])
      expect(batch.ledger.map(({ lane }) => lane)).toEqual(['batch'])
      const [full, half] = [live.ledger[0], batch.ledger[0]]
      expect(half?.n).toBe(full?.n)
      expect((half?.cost ?? 0) * 2).toBe(full?.cost)
      expect(half?.cost).toBe(batch.billNano)
      expect(full?.cost).toBe(live.billNano)
    })
  })
}

/** All of a result row but how it travelled, how long that took, and what it cost. */
function outcome({ _lane, _latency_ms, _cost_usd, ...rest }: Row): Row {
  return rest
}

/** Runs the job in an engine of its own, against a simulator of its own that draws as every other one here. */
async function endOf(dir: string, lane: 'live' | 'batch', model: LaneUnderTest['model'], spec: string): Promise<Ended> {
  const runtime = hastyRuntime(10, 0.5)
  const { after, now } = runtime
  const simulator = createSimulator({ nowMs: now, after, seed: 4, faults: FAULTS, contextTokens: 1_000 })
  const server = await startSimulatorServer(simulator, { after, port: 0 })
  onTestFinished(() => server.close())
  const specPath = join(dir, `${lane}.yaml`)
  await writeFile(
    specPath,
    `version: 1
name: lanes
input: { source: rows.jsonl, key: id }
model:
  ${model(server.url)}
  api_key_env: THE_KEY
  params: { max_output_tokens: 100 }
  price: { input: "0.25", output: "2.00" }
prompt: ${PROMPT}
execution: { lane: ${lane}, cache: off, chunk_rows: 20 }
${spec}
`,
  )
  const dataDir = join(dir, lane)
  const engine = await openEngine(readConfig({ dataDir }, { THE_KEY: 'good' }, dir), runtime, '0')
  onTestFinished(() => engine.close())
  const { job } = await engine.submit({ specPath })
  const never = new AbortController().signal
  await engine.work(job.id, { signal: never, abandon: never })
  await simulator.batches.settled()
  return {
    rows: await rowsOf(engine, job.id),
    ledger: queryDataDir(dataDir, 'select lane, count(*) as n, sum(cost_nano) as cost from attempts group by lane'),
    billNano: simulator.stats().cost_nano,
  }
}

async function rowsOf(engine: Engine, id: Parameters<Engine['results']>[0]): Promise<readonly Row[]> {
  const texts: string[] = []
  await engine.results(id, { to: { kind: 'stream', write: async (text) => void texts.push(text) }, format: 'jsonl' })
  return texts
    .join('')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Row)
}

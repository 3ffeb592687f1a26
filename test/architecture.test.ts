import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { noClock, noEnvironment, noRandomness, noSockets } from './architecture/reach.ts'
import { domainIsPure, importDirection, noImportCycles } from './architecture/rooms.ts'
import { fileSize, functionSize, noUnfinishedMarks, tellingNames } from './architecture/shape.ts'
import { parseSource, readSources, type Source } from './architecture/source.ts'

type Rule = (sources: readonly Source[]) => string[]
type Sample = Readonly<Record<string, string>>

const root = join(import.meta.dirname, '..')
const sources = readSources(join(root, 'src'))
const parsed = (sample: Sample) => Object.entries(sample).map(([path, text]) => parseSource(path, text))
const names: Rule = (files) => tellingNames(files.map(({ path }) => path))
const linesOf = (count: number) => 'step()\n'.repeat(count)
const functionOf = (count: number) => `export function long() {\n${'  step()\n'.repeat(count - 2)}}\n`

/** Each rule of the house, with samples that break it and samples that come close and do not. */
const rules: readonly {
  readonly name: string
  readonly rule: Rule
  readonly breaks: readonly Sample[]
  readonly keeps: readonly Sample[]
}[] = [
  {
    name: 'imports point one way',
    rule: importDirection,
    breaks: [
      { 'row/prepare.ts': "import { read } from '../intake/source.ts'" },
      { 'store/jobs.ts': "import type { Queue } from '../queue/queue.ts'" },
      { 'simulator/reply.ts': "import { classify } from '../provider/classify.ts'" },
      { 'job/cancel.ts': "export * from '../worker/lease.ts'" },
      { 'engine.ts': "const { compose } = await import('../src/compose.ts')", 'compose.ts': '' },
      { 'engine.ts': "type C = import('./compose.ts').Composition" },
      { 'engine.ts': "import { config } from './config.ts'" },
      { 'http/jobs.ts': "import { panel } from '../cli/panel.ts'" },
      { 'row/prepare.ts': "import { fixture } from '../../test/fixture.ts'" },
      { 'attic/old.ts': 'export {}' },
    ],
    keeps: [
      { 'row/prepare.ts': "import { money } from '../domain/money.ts'\nimport { settle } from './settle.ts'" },
      { 'worker/worker.ts': "import { live } from '../lane/live.ts'\nimport type { Runtime } from '../runtime.ts'" },
      { 'cli/run.ts': "import { compose } from '../compose.ts'\nimport { config } from '../config.ts'" },
    ],
  },
  {
    name: 'domain imports nothing',
    rule: domainIsPure,
    breaks: [
      { 'domain/row.ts': "import { createHash } from 'node:crypto'" },
      { 'domain/row.ts': "import type { Runtime } from '../runtime.ts'" },
      { 'domain/row.ts': "import { Type } from 'typebox'" },
    ],
    keeps: [
      { 'domain/row.ts': "import type { Usage } from './usage.ts'" },
      { 'row/row.ts': "import { Type } from 'typebox'" },
    ],
  },
  {
    name: 'no file reaches itself through its imports',
    rule: noImportCycles,
    breaks: [
      { 'row/a.ts': "import './b.ts'", 'row/b.ts': "import './c.ts'", 'row/c.ts': "import type { A } from './a.ts'" },
      { 'row/a.ts': "import './a.ts'" },
    ],
    keeps: [{ 'row/a.ts': "import './b.ts'; import './c.ts'", 'row/b.ts': "import './c.ts'", 'row/c.ts': '' }],
  },
  {
    name: 'a file has at most 300 lines',
    rule: fileSize,
    breaks: [{ 'row/long.ts': linesOf(301) }],
    keeps: [{ 'row/full.ts': linesOf(300) }],
  },
  {
    name: 'a function has fewer than 60 lines',
    rule: functionSize,
    breaks: [
      { 'row/long.ts': functionOf(60) },
      { 'row/long.ts': `export const long = () => {\n${'  step()\n'.repeat(70)}}\n` },
      { 'row/long.ts': `export class Long {\n  run() {\n${'    step()\n'.repeat(70)}  }\n}\n` },
    ],
    keeps: [{ 'row/full.ts': functionOf(59) }],
  },
  {
    name: 'names say what is inside',
    rule: names,
    breaks: [{ 'row/utils.ts': '' }, { 'helpers/row.ts': '' }, { 'job/queue-manager.ts': '' }, { 'row/common.ts': '' }],
    keeps: [{ 'row/commonality.ts': '' }],
  },
  {
    name: 'no mark of unfinished work',
    rule: noUnfinishedMarks,
    breaks: [{ 'row/row.ts': '// TODO: later' }],
    keeps: [{ 'row/row.ts': '// todos are rows too' }],
  },
  {
    name: 'the clock stands in runtime.ts',
    rule: noClock,
    breaks: [
      { 'row/row.ts': 'const at = Date.now()' },
      { 'row/row.ts': 'const at = new Date()' },
      { 'row/row.ts': 'const at = Date()' },
      { 'row/row.ts': 'const at = performance.now()' },
      { 'row/row.ts': 'const at = process.hrtime.bigint()' },
      { 'row/row.ts': 'const now = Temporal.Now.instant()' },
      { 'row/row.ts': 'setTimeout(() => {}, 5)' },
      { 'row/row.ts': 'globalThis.setInterval(tick, 5)' },
      { 'row/row.ts': "import { setTimeout as sleep } from 'node:timers/promises'" },
      { 'row/row.ts': "import { performance } from 'node:perf_hooks'" },
      { 'row/row.ts': 'const signal = AbortSignal.timeout(5)' },
      { 'row/row.ts': 'const { now } = Date' },
    ],
    keeps: [
      { 'runtime.ts': 'const at = Date.now()' },
      { 'row/row.ts': 'const at = new Date(1_000).toISOString()' },
      { 'row/row.ts': 'const at = runtime.now(); const later = { setTimeout: 5 }.setTimeout' },
      { 'row/row.ts': "import { setImmediate } from 'node:timers/promises'" },
    ],
  },
  {
    name: 'randomness stands in runtime.ts',
    rule: noRandomness,
    breaks: [
      { 'row/row.ts': 'const dice = Math.random()' },
      { 'row/row.ts': 'const id = crypto.randomUUID()' },
      { 'row/row.ts': 'globalThis.crypto.getRandomValues(bytes)' },
      { 'row/row.ts': "import { randomBytes } from 'node:crypto'" },
      { 'row/row.ts': "import * as crypto from 'crypto'" },
    ],
    keeps: [
      { 'runtime.ts': 'const dice = Math.random()' },
      { 'row/row.ts': "import { createHash } from 'node:crypto'\nconst dice = runtime.random()" },
    ],
  },
  {
    name: 'the environment is read in config.ts',
    rule: noEnvironment,
    breaks: [
      { 'row/row.ts': 'const key = process.env.KEY' },
      { 'row/row.ts': "const key = process['env']" },
      { 'row/row.ts': 'const { env } = process' },
      { 'row/row.ts': 'const env = globalThis.process.env' },
      { 'row/row.ts': "import { env } from 'node:process'" },
    ],
    keeps: [{ 'config.ts': 'const key = process.env.KEY' }, { 'row/row.ts': 'const key = config.env' }],
  },
  {
    name: 'sockets stand in the transport and the simulator server',
    rule: noSockets,
    breaks: [
      { 'lane/live.ts': "import { request } from 'undici'" },
      { 'lane/live.ts': "import { createServer } from 'node:http'" },
      { 'lane/live.ts': "const net = await import('node:net')" },
      { 'lane/live.ts': "const reply = await fetch('https://example.com')" },
      { 'lane/live.ts': 'const model = createModel({ fetch })' },
      { 'lane/live.ts': 'globalThis.fetch(url)' },
      { 'lane/live.ts': 'new WebSocket(url)' },
    ],
    keeps: [
      { 'provider/transport.ts': "import { request } from 'undici'" },
      { 'simulator/server.ts': "import { createServer } from 'node:http'" },
      { 'simulator/server-log.ts': "import { createServer } from 'node:http'" },
      { 'lane/live.ts': "import type { Dispatcher } from 'undici'\nconst reply = await queue.fetch(5)" },
      { 'lane/live.ts': 'export const call = ({ fetch }: Transport) => createModel({ fetch })' },
    ],
  },
]

describe.each(rules)('$name', ({ rule, breaks, keeps }) => {
  it('holds for src/', () => {
    expect(rule(sources)).toEqual([])
  })

  it.each(breaks)('is broken by %o', (sample) => {
    expect(rule(parsed(sample))).not.toEqual([])
  })

  it.each(keeps)('is kept by %o', (sample) => {
    expect(rule(parsed(sample))).toEqual([])
  })
})

it('tests, benches and examples are named as tellingly as src/', () => {
  const paths = ['test', 'bench', 'examples', 'bin'].flatMap((folder) => listed(folder))
  expect(paths).toContain('test/architecture.test.ts')
  expect(tellingNames(paths)).toEqual([])
})

function listed(folder: string): string[] {
  if (!existsSync(join(root, folder))) return []
  return readdirSync(join(root, folder), { recursive: true }).map((path) => join(folder, String(path)))
}

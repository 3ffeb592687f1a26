import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { request as httpRequest } from 'node:http'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { percentiles } from '../test/scenario/percentiles.ts'
import { startSluice, until } from '../test/scenario/sluice-process.ts'
import { openTrialPlace } from '../test/scenario/trial-place.ts'

/**
 * `npm run trial:streams -- [--readers 500] [--uploads 100] [--seconds 60] [--rows 40000] [--concurrency 8] [--row-bytes 1000] [--fast 300] [--store sqlite|postgres]`: a server that works on a job, of which
 * slow readers follow rows, events and downloads, while uploads come in at 1 kB/s and one at full speed. Prints the server's memory, and how long other
 * calls took. Exit 1 where a reader or an upload broke, the memory went past 400 MB, or other calls took longer than 100 ms (p99).
 */
const { values } = parseArgs({
  options: {
    readers: { type: 'string', default: '500' },
    uploads: { type: 'string', default: '100' },
    seconds: { type: 'string', default: '60' },
    rows: { type: 'string', default: '40000' },
    concurrency: { type: 'string', default: '8' },
    'row-bytes': { type: 'string', default: '1000' },
    fast: { type: 'string', default: '300' },
    store: { type: 'string', default: 'sqlite' },
  },
})
const [readers, uploads, seconds, rows] = [values.readers, values.uploads, values.seconds, values.rows].map(Number) as [
  number,
  number,
  number,
  number,
]
/** What a slow reader takes, and an upload sends, in a second. */
const READ_BYTES = 8_192
const SENT_BYTES = 1_000

const began = performance.now()
const log = (line: string) => console.error(`${((performance.now() - began) / 1000).toFixed(1).padStart(7)} s  ${line}`)

const dir = await mkdtemp(join(tmpdir(), 'sluice-streams-'))
await writeFile(
  join(dir, 'serve.yaml'),
  'limits: { requests_per_minute: 100000, streams_per_tenant: 2000, connections: 5000 }\n',
)
const place = await openTrialPlace(values.store, dir)
const server = startSluice(['serve', '--port', '0', '--config', join(dir, 'serve.yaml')], {
  cwd: dir,
  env: place.env,
})
try {
  await until(() => /listening on http\S+/.test(server.stderr()), 'the server listens')
  const url = /listening on (http:\/\/[\d.:]+)/.exec(server.stderr())?.[1] as string
  process.exitCode = (await trial(url, server.child.pid as number)) ? 0 : 1
} finally {
  const ended = server.child.exitCode ?? server.child.signalCode
  if (ended !== null) log(`the server ended with ${ended}: ${server.stderr().slice(-1_000)}`)
  server.child.kill('SIGTERM')
  await server.ended
  await place.close()
  await rm(dir, { recursive: true, force: true })
}

async function trial(url: string, pid: number): Promise<boolean> {
  const job = await create(url, 'followed')
  const text = 'x'.repeat(Number(values['row-bytes']))
  const table = `id,text\n${Array.from({ length: rows }, (_, n) => `${n},${text}`).join('\n')}\n`
  await expectOk(fetch(`${url}/api/v1/jobs/${job}/input`, { method: 'PUT', body: table }))
  await expectOk(fetch(`${url}/api/v1/jobs/${job}/start`, { method: 'POST' }))
  await until(
    async () => (await memoryOf(pid)).now > 0 && (await doneOf(url, job)) > Math.min(500, rows / 10),
    'the first rows',
    120_000,
  )
  log(`${await doneOf(url, job)} of ${rows} rows are done; the server holds ${mb((await memoryOf(pid)).now)}`)

  const ids = await Promise.all(Array.from({ length: uploads }, (_, n) => create(url, `upload-${n}`)))
  const large = await create(url, 'fast')
  const over = AbortSignal.timeout(seconds * 1000)
  const broken: string[] = []
  const sockets = Array.from({ length: readers }, (_, n) => slowReader(url, addressOf(job, n), over, broken))
  const sent = Promise.all(ids.map((id) => slowUpload(`${url}/api/v1/jobs/${id}/input`, over)))
  const fast = fastUpload(`${url}/api/v1/jobs/${large}/input`, Number(values.fast) * 1_000_000)
  const asked = askAll(url, job, pid, over)
  const took = await asked
  const answers = await sent
  const fastMbps = await fast
  const read = sockets.reduce((sum, { bytesRead }) => sum + bytesRead, 0)
  for (const socket of sockets) socket.destroy()
  const kept = await Promise.all(ids.map((id) => offsetOf(`${url}/api/v1/jobs/${id}/input`)))
  const memory = await memoryOf(pid)

  const other = percentiles(took)
  const failed = answers.filter((status) => status !== 201).length
  log(
    `readers: ${readers}, of which ${broken.length} broke${broken[0] ? ` (${broken[0]})` : ''}; ${mb(read)} read by them`,
  )
  log(
    `uploads: ${uploads} at ${SENT_BYTES} bytes a second, of which ${failed} failed; ${(kept.reduce((a, b) => a + b, 0) / 1e6).toFixed(1)} MB arrived`,
  )
  log(`one upload at full speed: ${fastMbps.toFixed(0)} MB/s`)
  log(
    `other calls: ${took.length}, p50 ${other.p50.toFixed(0)} ms, p90 ${other.p90.toFixed(0)} ms, p99 ${other.p99.toFixed(0)} ms, max ${other.max.toFixed(0)} ms`,
  )
  log(
    `memory of the server: ${mb(memory.now)}, at the most ${mb(memory.most)}; rows done: ${await doneOf(url, job)} of ${rows}`,
  )
  return broken.length === 0 && failed === 0 && memory.most < 400e6 && other.p99 < 100
}

async function create(url: string, name: string): Promise<string> {
  const spec = {
    version: 1,
    name,
    input: { source: 'rows.csv' },
    model: { id: 'simulator/fast' },
    prompt: { user: '{{ text }}' },
    output: { fields: { topic: 'enum[a, b]' } },
    execution: { concurrency: { max: Number(values.concurrency) } },
  }
  const answer = await expectOk(
    fetch(`${url}/api/v1/jobs`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ spec }),
    }),
  )
  return ((await answer.json()) as { job_id: string }).job_id
}

async function expectOk(asked: Promise<Response>): Promise<Response> {
  const answer = await asked
  if (!answer.ok) throw new Error(`${answer.url}: ${answer.status} ${await answer.text()}`)
  return answer
}

async function doneOf(url: string, job: string): Promise<number> {
  const status = (await (await expectOk(fetch(`${url}/api/v1/jobs/${job}`))).json()) as { rows: { succeeded: number } }
  return status.rows.succeeded
}

/** Half follow rows, from different places on; three in ten events; the rest download. */
function addressOf(job: string, n: number): string {
  const of = n % 10 < 5 ? `results/stream?after=${n % 19}` : n % 10 < 8 ? 'events' : 'results/download?format=jsonl'
  return `/api/v1/jobs/${job}/${of}`
}

/** Reads a little each second, whatever lies there. */
function slowReader(url: string, path: string, over: AbortSignal, broken: string[]): Socket {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  socket.write(`GET ${path} HTTP/1.1\r\nhost: ${hostname}\r\n\r\n`)
  let head = ''
  const read = () => {
    const block = (socket.read(Math.min(READ_BYTES, socket.readableLength)) as Buffer | null)?.toString('latin1') ?? ''
    if (head.length < 20) head += block
    if (head.length >= 20 && !head.startsWith('HTTP/1.1 200')) broken.push(`${path}: ${head.slice(0, 30)}`)
  }
  const timer = setInterval(read, 1_000)
  socket.once('readable', () => undefined)
  const end = (what: string) => () => {
    clearInterval(timer)
    if (!over.aborted && what !== '') broken.push(`${path}: ${what}`)
  }
  socket.once('error', end('broke')).once('close', end(''))
  return socket
}

function slowUpload(url: string, over: AbortSignal): Promise<number> {
  return new Promise((resolve) => {
    const request = httpRequest(url, { method: 'PUT', agent: false }, (answer) => {
      answer.resume()
      answer.once('end', () => resolve(answer.statusCode ?? 0))
    })
    request.once('error', (error) => {
      clearInterval(timer)
      log(`an upload broke: ${error.message}`)
      resolve(0)
    })
    request.write('id,text\n')
    let n = 0
    const timer = setInterval(() => {
      n += 1
      const line = `${n},${'x'.repeat(SENT_BYTES - 2 - String(n).length)}\n`
      if (over.aborted) {
        clearInterval(timer)
        request.end(line)
      } else request.write(line)
    }, 1_000)
  })
}

async function fastUpload(url: string, bytes: number): Promise<number> {
  const line = `1,${'x'.repeat(65_533)}\n`
  async function* body() {
    yield Buffer.from('id,text\n')
    for (let at = 0; at < bytes; at += line.length) yield Buffer.from(line)
  }
  const start = performance.now()
  await expectOk(fetch(url, { method: 'PUT', body: body(), duplex: 'half' } as unknown as RequestInit))
  return bytes / 1_000 / (performance.now() - start)
}

async function offsetOf(url: string): Promise<number> {
  return Number((await fetch(url, { method: 'HEAD' })).headers.get('upload-offset'))
}

/** Asks now and then for a job and a list, as others do; how long each took, ms. */
async function askAll(url: string, job: string, pid: number, over: AbortSignal): Promise<readonly number[]> {
  const took: number[] = []
  let toldAt = performance.now()
  while (!over.aborted) {
    for (const path of [`/api/v1/jobs/${job}`, '/api/v1/jobs?limit=20']) {
      const start = performance.now()
      await (await expectOk(fetch(url + path))).arrayBuffer()
      took.push(performance.now() - start)
    }
    if (performance.now() - toldAt > 10_000) {
      toldAt = performance.now()
      log(`the server holds ${mb((await memoryOf(pid)).now)}`)
    }
    await sleep(100)
  }
  return took
}

async function memoryOf(pid: number): Promise<{ readonly now: number; readonly most: number }> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  const of = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1]) * 1024
  return { now: of('VmRSS'), most: of('VmHWM') }
}

function mb(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`
}

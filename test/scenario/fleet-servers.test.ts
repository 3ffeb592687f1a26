import { connect, createServer } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { jobFolder, provider } from './job-folder.ts'
import { ask, freePort, startServer } from './server.ts'
import { type SluiceProcess, until } from './sluice-process.ts'

const ROWS = 1_500

const input = `id,text\n${Array.from({ length: ROWS }, (_, n) => `t${n},please refund ${n}`).join('\n')}\n`

const short = {
  filename: 'tickets.csv',
  prompt_template: 'Label: {{ text }}',
  schema_hint: { topic: 'enum[billing, refund]' },
  model: 'small',
}

/** One address before several: each connection goes to the next one that takes it, as a load balancer does. */
async function oneAddress(urls: readonly string[]): Promise<string> {
  const port = await freePort()
  let turn = 0
  const proxy = createServer((client) => {
    client.on('error', () => undefined)
    const dial = (left: number) => {
      const target = new URL(urls[turn++ % urls.length] as string)
      const server = connect(Number(target.port), target.hostname)
      const next = () => (left > 1 ? dial(left - 1) : client.destroy())
      server.once('error', next)
      server.once('connect', () => {
        server.off('error', next)
        server.on('error', () => undefined)
        client.pipe(server).pipe(client)
        client.on('close', () => server.destroy())
        server.on('close', () => client.destroy())
      })
    }
    dial(urls.length)
  })
  await new Promise<void>((resolve) => proxy.listen(port, '127.0.0.1', resolve))
  onTestFinished(() => void proxy.close())
  return `http://127.0.0.1:${port}`
}

/** Asks until somebody answers: a connection of a server that was killed is tried again, as every client of a service does. */
async function askSomebody(...request: Parameters<typeof ask>): ReturnType<typeof ask> {
  let answer: Awaited<ReturnType<typeof ask>> | null = null
  await until(async () => {
    answer = await ask(...request).catch(() => null)
    return answer !== null && answer.status < 500 && answer.status !== 409
  }, `${request[0]} is answered`)
  return answer as unknown as ReturnType<typeof ask>
}

interface Row {
  readonly id: string
  readonly _status: string
  readonly _cursor: string
}

/** Reads the stream of results to its end, from where it broke off whenever it does. */
async function readResults(url: string, seen: Row[]): Promise<void> {
  for (let ended = false; !ended; ) {
    const after = seen.at(-1)?._cursor
    const answer = await fetch(`${url}${after === undefined ? '' : `?after=${encodeURIComponent(after)}`}`).catch(
      () => null,
    )
    if (answer?.body == null) continue
    let rest = ''
    try {
      for await (const text of answer.body.pipeThrough(new TextDecoderStream())) {
        const lines = (rest + text).split('\n')
        rest = lines.pop() as string
        seen.push(...lines.map((line) => JSON.parse(line) as Row))
      }
      ended = rest === '' && seen.length >= ROWS
    } catch {
      // The server was killed: what has come whole is kept.
    }
  }
}

it('two servers and two workers behind one address: one of each is killed at a time, and nobody loses a row', async () => {
  const folder = await jobFolder()
  const simulated = await provider(folder, '--latency', '80ms')
  const config = `
work: false
default_model: { provider: openai-compatible, base_url: ${simulated.url}/v1 }
`
  const servers = [await startServer(folder, config), await startServer(folder, config)]
  const newWorker = () => folder.start('worker', '--chunks', '3', '--concurrency', '24')
  const workers: SluiceProcess[] = [newWorker(), newWorker()]
  onTestFinished(async () => {
    for (const worker of workers) worker.child.kill('SIGKILL')
    await Promise.all(workers.map((worker) => worker.ended))
  })
  const address = await oneAddress(servers.map((server) => server.url))

  const key = { 'idempotency-key': 'once' }
  const created = await askSomebody(`${address}/api/v1/jobs`, {
    body: { ...short, filename: 'tickets.csv' },
    headers: key,
  })
  expect(created.status).toBe(201)
  await servers[0]?.kill()
  const again = await askSomebody(`${address}/api/v1/jobs`, { body: short, headers: key })
  expect(again.body.job_id).toBe(created.body.job_id)
  const job = `${address}/api/v1/jobs/${created.body.job_id as string}`
  const upload = await fetch(`${job}/input`, { method: 'PUT', body: input })
  expect([upload.status, await upload.text()].join(' ')).toMatch(/^20[01] /)
  expect((await askSomebody(`${job}/start`, { method: 'POST' })).status).toBe(202)
  await servers[0]?.restart()

  const seen: Row[] = []
  const reading = readResults(`${job}/results/stream`, seen)
  await until(() => simulated.requests().length > 200, 'both work')
  workers[0]?.child.kill('SIGKILL')
  await until(() => seen.length > 100, 'rows come through the stream')
  await servers[1]?.kill()
  workers[0] = newWorker()
  await until(() => simulated.requests().length > 900, 'they go on')
  await servers[1]?.restart()
  workers[1]?.child.kill('SIGKILL')
  await reading
  expect(new Set(seen.map((row) => row.id)).size).toBe(ROWS)
  expect(seen).toHaveLength(ROWS)
  expect(seen.filter((row) => row._status !== 'ok')).toStrictEqual([])
  expect((await askSomebody(job)).body).toMatchObject({ state: 'completed' })
  expect(await folder.count('jobs')).toBe(1)
})

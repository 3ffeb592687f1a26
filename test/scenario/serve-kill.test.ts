import { request as httpRequest } from 'node:http'
import { expect, it } from 'vitest'
import { type JobFolder, jobFolder, provider } from './job-folder.ts'
import { ask, type Server, startServer } from './server.ts'
import { until } from './sluice-process.ts'

const ROWS = 2_000
const IN_FLIGHT = 48

const input = (rows: number) =>
  `id,text\n${Array.from({ length: rows }, (_, n) => `t${n},"please refund ${n}, ${'it was never what I wanted, '.repeat(40)}"`).join('\n')}\n`

async function served() {
  const folder = await jobFolder()
  const simulated = await provider(folder, '--latency', '40ms')
  const config = `
default_model: { provider: openai-compatible, base_url: ${simulated.url}/v1 }
`
  return { folder, simulated, server: await startServer(folder, config) }
}

const short = {
  filename: 'tickets.csv',
  name: 'refunds',
  columns_hint: ['id', 'text'],
  prompt_template: 'Label: {{ text }}',
  schema_hint: { topic: 'enum[billing, refund]' },
  model: 'small',
}

/** Sends bytes up to `cut`, and leaves the request open; resolves when they are on their way. */
async function sendPart(url: string, body: Buffer, cut: number): Promise<void> {
  const sending = httpRequest(url, {
    method: 'PUT',
    headers: { 'content-length': body.length, 'content-type': 'text/csv' },
  })
  sending.on('error', () => undefined)
  await new Promise<void>((resolve, reject) =>
    sending.write(body.subarray(0, cut), (error) => (error ? reject(error) : resolve())),
  )
}

const offsetOf = async (url: string) => Number((await fetch(url, { method: 'HEAD' })).headers.get('upload-offset'))

async function jobState({ url }: Server, id: string) {
  const { body } = await ask(`${url}/api/v1/jobs/${id}`)
  return body.state as string
}

async function killedOnceMore(server: Server): Promise<void> {
  await server.kill()
  await server.restart()
}

it('a server that is killed in an upload, while it reads, and while it works: the job goes on, and is one job', async () => {
  const { folder, simulated, server } = await served()
  const create = () => ask(`${server.url}/api/v1/jobs`, { body: short, headers: { 'idempotency-key': 'the-only-one' } })
  const lost = create().catch(() => null)
  await server.kill()
  await lost
  await server.restart()
  const created = await until201(create)
  const id = created.job_id as string
  const upload = created.upload_url as string
  expect(await folder.count('jobs')).toBe(1)

  const bytes = Buffer.from(input(ROWS))
  await sendPart(upload, bytes, 1_500_000)
  await until(async () => (await offsetOf(upload)) >= 0, 'the server tells how far the upload has come')
  await killedOnceMore(server)
  const offset = await offsetOf(upload)
  expect(offset).toBeLessThanOrEqual(1_500_000)
  const rest = await fetch(upload, {
    method: 'PUT',
    body: bytes.subarray(offset),
    headers: { 'content-range': `bytes ${offset}-${bytes.length - 1}/${bytes.length}` },
  })
  expect(rest.status, await rest.text()).toBeLessThan(202)

  expect((await ask(`${server.url}/api/v1/jobs/${id}/start`, { method: 'POST' })).status).toBe(202)
  await killedOnceMore(server)
  // Nobody asks again: what was begun goes on by itself.
  await until(() => simulated.requests().length > 300, 'rows are sent')
  await killedOnceMore(server)
  await until(async () => (await jobState(server, id)) === 'completed', 'the job is over')
  await everyRowOnce(folder, server, id)
  expect(simulated.requests().length).toBeLessThanOrEqual(ROWS + 2 * IN_FLIGHT + 64)
})

async function until201(create: () => ReturnType<typeof ask>): Promise<Readonly<Record<string, unknown>>> {
  let created = await create()
  await until(async () => {
    if (created.status === 409) created = await create()
    return created.status !== 409
  }, 'the key is free again, or answered')
  expect(created.status, JSON.stringify(created.body)).toBe(201)
  return created.body
}

async function everyRowOnce(folder: JobFolder, server: Server, id: string): Promise<void> {
  const answer = await fetch(`${server.url}/api/v1/jobs/${id}/results/download?format=jsonl`)
  const rows = (await answer.text()).trim().split('\n')
  const parsed = rows.map((line) => JSON.parse(line) as { readonly id: string; readonly _status: string })
  expect(parsed.map((row) => row.id)).toStrictEqual(Array.from({ length: ROWS }, (_, n) => `t${n}`))
  expect(parsed.filter((row) => row._status !== 'ok')).toStrictEqual([])
  expect(await folder.count("attempts where state = 'open'")).toBe(0)
}

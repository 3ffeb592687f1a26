import { createHash } from 'node:crypto'
import { expect, it } from 'vitest'
import { ask as send } from '../http/served.ts'
import { jobFolder } from './job-folder.ts'
import { ask, startServer } from './server.ts'
import { until } from './sluice-process.ts'

const PART_BYTES = 16 * 1024 * 1024

it('goes on with an upload where it was durable when the server was killed', async () => {
  const server = await startServer(await jobFolder(), 'limits: { loop_delay: 60s }\n')
  const short = { filename: 'rows.csv', prompt_template: '{{ text }}', model: 'simulator/fast' }
  const { body: created } = await ask(`${server.url}/api/v1/jobs`, { body: short })
  const url = `${server.url}/api/v1/jobs/${created.job_id}/input`
  const bytes = Buffer.from(`id,text\n${`1,${'x'.repeat(16_381)}\n`.repeat(1_400)}`)
  const headers = { 'content-length': String(bytes.length) }
  const broken = send(url, { method: 'PUT', headers }, (to) => to.write(bytes.subarray(0, 20_000_000))).catch(
    (error: unknown) => error,
  )
  const offset = async () => Number((await fetch(url, { method: 'HEAD' })).headers.get('upload-offset'))
  await until(async () => (await offset()) > 0, 'a part is durable')
  await server.kill()
  expect(await broken).toBeInstanceOf(Error)

  await server.restart()
  expect(await offset()).toBe(PART_BYTES)
  const rest = {
    'content-range': `bytes ${PART_BYTES}-${bytes.length - 1}/${bytes.length}`,
    'content-length': String(bytes.length - PART_BYTES),
  }
  const ended = await send(url, { method: 'PUT', headers: rest }, (to) => to.end(bytes.subarray(PART_BYTES)))
  expect(ended.status).toBe(201)
  expect(JSON.parse(ended.body)).toMatchObject({
    state: 'ready',
    bytes: bytes.length,
    sha256: createHash('sha256').update(bytes).digest('hex'),
  })
})

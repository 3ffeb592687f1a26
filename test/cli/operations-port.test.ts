import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import type { Service } from '../../src/service.ts'
import { newEvents } from '../telemetry/fixtures.ts'
import { parseMetrics } from '../telemetry/parse-metrics.ts'
import { aFleet, aWorker } from './fake-engine.ts'
import { cli } from './harness.ts'

/** A worker that goes on until it is told to stop, and what its port answers. */
async function worker(args: readonly string[], env: Readonly<Record<string, string>> = {}, down = false) {
  let closed = false
  let leave: () => void = () => undefined
  const status = aWorker()
  const engine = {
    fleet: async () => aFleet(),
    workAny: async ({ onStatus }: { onStatus?: (now: typeof status) => void }) => {
      onStatus?.(status)
      const done = new Promise<typeof status>((resolve) => {
        leave = () => resolve(status)
      })
      return { workerId: 'w', done, setConcurrency: () => undefined }
    },
  }
  const service = {
    events: newEvents(),
    engine: () => engine,
    checkReady: async () => {
      if (down) throw new Error('postgres://me:hush@db failed')
    },
    close: async () => {
      closed = true
    },
  } as unknown as Service
  const command = cli({}, { env, more: { openService: async () => service } })
  const ended = command.run('worker', ...args)
  await expect.poll(() => command.err()).toContain('figures at ')
  const url = /figures at (\S+)\/metrics/.exec(command.err())?.[1] as string
  const get = async (path: string, headers: Readonly<Record<string, string>> = {}) => {
    const answer = await fetch(url.replace('0.0.0.0', '127.0.0.1') + path, { headers })
    return { status: answer.status, body: await answer.text() }
  }
  return { ...command, get, url, end: () => leave(), ended, closed: () => closed }
}

it('has figures of itself and of the fleet, and says how it is, until it has left', async () => {
  const { get, signal, end, ended, closed, events } = await worker(['--metrics-port', '0'])
  const metrics = parseMetrics((await get('/metrics')).body)
  expect(metrics.value('sluice_in_flight')).toBe(aWorker().inFlight)
  expect(metrics.value('sluice_chunks_held')).toBe(aWorker().chunks)
  expect(metrics.value('sluice_queue_messages', { state: 'ready' })).toBe(120)
  expect(await get('/livez')).toEqual({ status: 200, body: 'ok\n' })
  expect(await get('/readyz')).toEqual({ status: 200, body: 'ok\n' })
  signal('SIGTERM')
  // What is under way can still be watched.
  expect((await get('/readyz')).status).toBe(503)
  expect((await get('/metrics')).status).toBe(200)
  end()
  expect(await ended).toBe(0)
  await expect(get('/livez')).rejects.toThrow()
  expect(closed()).toBe(true)
  expect(events()).toContainEqual(
    expect.objectContaining({ type: 'note', message: expect.stringContaining('figures') }),
  )
})

it('is not ready while its store does not answer, and does not say more', async () => {
  const { get, end, ended } = await worker(['--metrics-port', '0'], {}, true)
  expect(await get('/readyz')).toEqual({ status: 503, body: 'the store does not answer\n' })
  end()
  await ended
})

it('tells others its figures only for a token; variables ask for the same as flags', async () => {
  const env = { SLUICE_METRICS_PORT: '0', SLUICE_METRICS_HOST: '0.0.0.0' }
  const open = await worker([], env)
  expect(await open.get('/metrics')).toEqual({ status: 404, body: 'SLUICE_METRICS_TOKEN_ENV is not set\n' })
  expect((await open.get('/livez')).status).toBe(200)
  open.end()
  const guarded = await worker(['--metrics-token-env', 'METRICS'], { ...env, METRICS: 'the-token' })
  expect((await guarded.get('/metrics')).status).toBe(401)
  expect((await guarded.get('/metrics', { authorization: 'Bearer the-token' })).status).toBe(200)
  guarded.end()
  await Promise.all([open.ended, guarded.ended])
})

it('does not begin where its port cannot be had, or is asked for in part', async () => {
  const taken = createServer()
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void taken.close())
  const { port } = taken.address() as AddressInfo
  let closed = 0
  const service = {
    events: newEvents(),
    engine: () => ({}),
    close: async () => {
      closed += 1
    },
  } as unknown as Service
  const refused = async (args: readonly string[], env: Readonly<Record<string, string>> = {}) => {
    const { run, err } = cli({}, { env, more: { openService: async () => service } })
    expect(await run('worker', ...args)).toBe(2)
    return err()
  }
  expect(await refused(['--metrics-port', String(port)])).toContain(`port ${port}: something else listens there`)
  expect(closed).toBe(1)
  expect(await refused(['--metrics-port', '65536'])).toContain('65536 is no port')
  expect(await refused(['--metrics-host', '0.0.0.0'])).toContain('no port is named')
  expect(await refused(['--metrics-port', '0', '--metrics-token-env', 'NONE'])).toContain('NONE is not set')
  expect(await refused([], { SLUICE_METRICS_PORT: 'http' })).toContain('SLUICE_METRICS_PORT: expected a port')
})

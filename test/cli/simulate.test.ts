import { describe, expect, it } from 'vitest'
import type { SimulateRequest } from '../../src/cli/context.ts'
import { cli } from './harness.ts'

describe('sluice simulate', () => {
  it('serves until it is interrupted; that is its ordinary end: exit 0', async () => {
    const seen: SimulateRequest[] = []
    let closed = false
    const program: ReturnType<typeof cli> = cli(
      {},
      {
        tty: 80,
        more: {
          startSimulator: async (request) => {
            seen.push(request)
            queueMicrotask(() => program.signal('SIGINT'))
            return {
              url: 'http://127.0.0.1:4999',
              close: async () => {
                closed = true
              },
            }
          },
        },
      },
    )
    const flags = ['--port', '0', '--seed', '7', '--rate-limited', '20%', '--latency', '200ms', '--bad-key']
    expect(await program.run('simulate', ...flags, '--request-log', 'log.ndjson')).toBe(0)
    expect(closed).toBe(true)
    expect(seen[0]).toMatchObject({
      port: 0,
      host: '127.0.0.1',
      requestLog: '/work/log.ndjson',
      options: { seed: 7, badKey: true, faults: { rate_limited: 0.2 }, latency: { medianMs: 200, p99Ms: 200 } },
    })
    expect(program.err()).toContain('Simulated provider at http://127.0.0.1:4999: answers are made up')
  })

  it('says when the port is taken', async () => {
    const taken = Object.assign(new Error('listen EADDRINUSE'), { code: 'EADDRINUSE' })
    const { run, err } = cli({}, { more: { startSimulator: () => Promise.reject(taken) } })
    expect(await run('simulate', '--port', '4790')).toBe(2)
    expect(err()).toContain('error: 127.0.0.1:4790 is taken by another program.\n  Choose another port')
  })
})

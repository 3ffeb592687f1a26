import { expect, it } from 'vitest'
import { createLiveLane } from '../../src/lane/live.ts'
import type { CompleteOptions, Models } from '../../src/provider/model.ts'
import { answered, target } from '../row/fixture.ts'

it('the live lane asks the model of the request, and hands on its bounds and its answer as they are', async () => {
  const asked: unknown[] = []
  const completion = answered('yes')
  const models: Models = {
    open: ({ id }) => ({
      async complete(request, options) {
        asked.push([id, request.messages[0]?.text, options])
        return completion
      },
      preview: () => Promise.reject(new Error('not asked')),
      encode: () => Promise.reject(new Error('not asked')),
      decode: () => Promise.reject(new Error('not asked')),
    }),
    price: () => null,
    cachesFrom: () => 1024,
    account: () => 'account',
    batches: () => null,
    flex: () => null,
    batchKind: () => {
      throw new Error('not asked')
    },
    close: async () => undefined,
  }
  const lane = createLiveLane(models)
  const request = {
    target: target('openai/main'),
    system: null,
    messages: [{ role: 'user' as const, text: 'a row' }],
    schema: null,
  }
  const options: CompleteOptions = { attemptId: 'attempt', timeoutMs: 5_000, signal: new AbortController().signal }
  expect(lane.name).toBe('live')
  expect(await lane.send(request, options)).toBe(completion)
  expect(asked).toEqual([['openai/main', 'a row', options]])
})

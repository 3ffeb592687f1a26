import { UnsupportedFunctionalityError } from '@ai-sdk/provider'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Completion } from '../../src/domain/completion.ts'
import { apiOf } from '../../src/provider/api.ts'
import type { Call } from '../../src/provider/call.ts'
import { concludeFailure } from '../../src/provider/conclude.ts'
import { createModels } from '../../src/provider/registry.ts'
import { resolveTarget } from '../../src/provider/target.ts'
import type { Exchange, WireRequest } from '../../src/provider/wire.ts'
import { manualRuntime } from '../support/manual-runtime.ts'
import { ask, modelsOver, replyOf, targetOf } from './replay.ts'

const target = targetOf('openai-chat/m')

function chatReply(text: string, tokens: number, headers: Readonly<Record<string, string>> = {}) {
  const choice = { index: 0, message: { role: 'assistant', content: text }, finish_reason: 'stop' }
  const usage = { prompt_tokens: tokens, completion_tokens: 1, total_tokens: tokens + 1 }
  return replyOf(200, { id: `id-${text}`, model: 'm-1', choices: [choice], usage }, headers)
}

describe('calls of one model at the same time', () => {
  it('never mix their replies, headers, tokens or failures, in whatever order they end', async () => {
    const order = fc.shuffledSubarray(
      Array.from({ length: 40 }, (_, index) => index),
      { minLength: 40, maxLength: 40 },
    )
    await fc.assert(
      fc.asyncProperty(order, async (ends) => {
        const waiting: (() => void)[] = []
        const exchange: Exchange = ({ body }) =>
          new Promise((resolve) => {
            const index = Number(/row (\d+)/.exec(body)?.[1])
            const headers = { 'x-request-id': `req-${index}`, 'retry-after-ms': String(index) }
            const refused = replyOf(429, { error: { message: `slow ${index}` } }, headers)
            waiting[index] = () => resolve(index % 3 === 0 ? refused : chatReply(`answer ${index}`, index, headers))
          })
        const model = modelsOver(exchange).open(target)
        const completions = ends.map((_, index) =>
          model.complete(
            { target, system: null, messages: [{ role: 'user', text: `row ${index}` }], schema: null },
            { timeoutMs: 1000, signal: new AbortController().signal, attemptId: String(index) },
          ),
        )
        while (waiting.filter(Boolean).length < ends.length) await new Promise(setImmediate)
        for (const index of ends) waiting[index]?.()
        for (const [index, completion] of (await Promise.all(completions)).entries()) expectOwn(index, completion)
      }),
      { numRuns: 20 },
    )
  })

  function expectOwn(index: number, completion: Completion) {
    expect(completion.providerRequestId).toBe(`req-${index}`)
    if (completion.ok)
      expect(completion).toMatchObject({ text: `answer ${index}`, usage: { inputTokens: index }, limits: null })
    else expect(completion.failure).toMatchObject({ message: `HTTP 429: slow ${index}`, retryAfterMs: index })
  }
})

describe('one call', () => {
  const request = { target, system: null, messages: [{ role: 'user' as const, text: 'x' }], schema: null }

  it('is measured by the given clock and names the model that answered', async () => {
    const runtime = manualRuntime()
    const exchange: Exchange = async () => {
      await runtime.pass(250)
      return chatReply('yes', 3)
    }
    const models = createModels({ env: () => 'k', runtime, transport: { exchange, close: async () => undefined } })
    const completion = await models
      .open(target)
      .complete(request, { timeoutMs: 1000, signal: new AbortController().signal, attemptId: 'a' })
    expect(completion).toMatchObject({ ok: true, latencyMs: 250, modelAnswered: 'm-1', providerRequestId: 'id-yes' })
  })

  it('gives up when its time has passed, and not before', async () => {
    const runtime = manualRuntime()
    let sent: WireRequest | null = null
    let given = false
    const exchange: Exchange = (wire) =>
      new Promise((_, reject) => {
        sent = wire
        wire.cancellation.onCancel((reason) => {
          given = true
          reject(reason)
        })
      })
    const models = createModels({ env: () => 'k', runtime, transport: { exchange, close: async () => undefined } })
    const completing = models
      .open(target)
      .complete(request, { timeoutMs: 1000, signal: new AbortController().signal, attemptId: 'a' })
    while (sent === null) await new Promise(setImmediate)
    await runtime.pass(999)
    expect(given).toBe(false)
    await runtime.pass(1)
    expect(await completing).toMatchObject({ ok: false, failure: { cause: 'timeout' }, latencyMs: 1000, usage: null })
  })

  it('leaves nothing behind on the signal of its caller', async () => {
    const controller = new AbortController()
    const added: unknown[] = []
    const removed: unknown[] = []
    controller.signal.addEventListener = (_: string, listener: unknown) => void added.push(listener)
    controller.signal.removeEventListener = (_: string, listener: unknown) => void removed.push(listener)
    await ask('openai-chat/m', chatReply('x', 1), { signal: controller.signal })
    await ask('openai-chat/m', replyOf(500, ''), { signal: controller.signal })
    expect(added).toHaveLength(2)
    expect(removed).toEqual(added)
  })

  it('tells no provider elsewhere of sluice’s attempts', async () => {
    const headers: Record<string, unknown>[] = []
    await ask('openai-chat/m', async (wire) => {
      headers.push(wire.headers)
      return chatReply('x', 1)
    })
    expect(headers[0]).not.toHaveProperty('x-sluice-attempt')
  })

  it('says that a request cannot be put, where the encoder says so, and hides no defect', () => {
    const call: Call = {
      endedBy: () => null,
      request: () => null,
      reply: () => null,
      earlierUsage: () => null,
      close: () => undefined,
    }
    const api = apiOf(resolveTarget(target))
    const ended = { call, api, key: null, nowMs: 0, latencyMs: 1 }
    const unsupported = new UnsupportedFunctionalityError({ functionality: 'poetry' })
    expect(concludeFailure(unsupported, ended).completion).toMatchObject({
      failure: { cause: 'provider_error', retryable: false, message: expect.stringContaining('poetry') },
    })
    const defect = new TypeError('x is not a function')
    expect(() => concludeFailure(defect, ended)).toThrow(defect)
  })
})

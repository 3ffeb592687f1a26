import { Ajv } from 'ajv'
import { jsonrepair } from 'jsonrepair'
import { describe, expect, it } from 'vitest'
import { ASK_FAULTS, BODY_FAULTS, type Fault } from '../../src/simulator/fault.ts'
import { createSimulator } from '../../src/simulator/simulator.ts'
import { chat, chatBody, post, responseOf, TICKET_SCHEMA } from './asking.ts'

const only = (fault: Fault, share = 1) => createSimulator({ nowMs: () => 0, faults: { [fault]: share }, slowMs: 900 })
const ask = (at: number) => chat(`ticket number ${at}`, TICKET_SCHEMA)

describe('determinism', () => {
  const storm = { rate_limited: 0.2, server_error: 0.1, reset: 0.1, malformed: 0.1, refusal: 0.1, slow: 0.05 }
  const options = { nowMs: () => 1_000, faults: storm, latency: { medianMs: 40, p99Ms: 400 } }

  it('gives every ask of a body the same fate in every run, in whatever order requests come', () => {
    const fates = (order: readonly number[]) => {
      const simulator = createSimulator(options)
      const fate = new Map<string, string[]>()
      for (const at of order) {
        const reply = simulator.handle(ask(at))
        const said = reply.kind === 'response' && reply.status === 200 ? chatBody(reply).choices[0] : null
        const list = fate.get(String(at)) ?? []
        list.push(JSON.stringify([reply.kind, reply.delayMs, reply.record.status, reply.record.fault, said]))
        fate.set(String(at), list)
      }
      return Object.fromEntries([...fate].sort())
    }
    const forward = Array.from({ length: 900 }, (_, n) => n % 300)
    expect(fates(forward)).toEqual(fates(forward.toReversed()))
  })

  it('draws otherwise for another seed', () => {
    const faultsOf = (seed: number) => {
      const simulator = createSimulator({ ...options, seed })
      return Array.from({ length: 100 }, (_, at) => simulator.handle(ask(at)).record.fault)
    }
    expect(faultsOf(1)).toEqual(faultsOf(1))
    expect(faultsOf(1)).not.toEqual(faultsOf(2))
  })

  it('changes no answer when a fault is switched on', () => {
    const calm = createSimulator({ nowMs: () => 0 })
    const stormy = createSimulator({ nowMs: () => 0, faults: { server_error: 0.5 } })
    for (let at = 0; at < 50; at += 1) {
      const reply = stormy.handle(ask(at))
      if (reply.record.fault === null) {
        expect(chatBody(reply).choices).toEqual(chatBody(calm.handle(ask(at))).choices)
      }
    }
  })
})

describe('shares', () => {
  it('come out roughly as asked for over 10,000 draws', () => {
    const shares: Record<Fault, number> = {
      rate_limited: 0.2,
      overloaded: 0.03,
      server_error: 0.05,
      reset: 0.05,
      slow: 0.02,
      malformed: 0.05,
      schema_missing: 0.05,
      truncated: 0.02,
      refusal: 0.04,
      content_filter: 0.03,
    }
    const simulator = createSimulator({ nowMs: () => 0, faults: shares })
    const draws = 10_000
    for (let at = 0; at < draws; at += 1) simulator.handle(ask(at))
    const { by_fault } = simulator.stats()
    const spared = 1 - ASK_FAULTS.reduce((sum, fault) => sum + shares[fault], 0)
    for (const fault of ASK_FAULTS) expect((by_fault[fault] ?? 0) / draws, fault).toBeCloseTo(shares[fault], 1.6)
    for (const fault of BODY_FAULTS)
      expect((by_fault[fault] ?? 0) / draws, fault).toBeCloseTo(shares[fault] * spared, 1.6)
  })

  it('let a retry through where the fault is the moment’s, and never where it is the prompt’s', () => {
    const moments = only('server_error', 0.5)
    const prompts = only('refusal', 0.5)
    const statuses = Array.from({ length: 30 }, () => moments.handle(ask(1)).record.status)
    expect(new Set(statuses)).toEqual(new Set([200, 500]))
    for (let at = 0; at < 20; at += 1) {
      const faults = Array.from({ length: 5 }, () => prompts.handle(ask(at)).record.fault)
      expect(new Set(faults).size).toBe(1)
    }
  })

  it('that add up to more than a whole are refused', () => {
    expect(() => createSimulator({ nowMs: () => 0, faults: { reset: 0.6, slow: 0.6 } })).toThrow(RangeError)
  })
})

describe('each fault', () => {
  const contents = (fault: Fault, count = 60) => {
    const simulator = only(fault)
    return Array.from({ length: count }, (_, at) => chatBody(simulator.handle(ask(at))).choices[0].message.content)
  }

  it('malformed: no answer is JSON, and most can be repaired', () => {
    const texts = contents('malformed')
    for (const text of texts) expect(() => JSON.parse(text), text).toThrow()
    const mended = texts.filter((text) => {
      try {
        const value: unknown = JSON.parse(jsonrepair(text))
        return typeof value === 'object' && value !== null && !Array.isArray(value)
      } catch {
        return false
      }
    })
    expect(mended.length).toBeGreaterThan(texts.length / 4)
    expect(mended.length).toBeLessThan(texts.length)
  })

  it('schema_missing: every answer is JSON that the schema refuses', () => {
    const validate = new Ajv().compile(TICKET_SCHEMA)
    for (const text of contents('schema_missing')) expect(validate(JSON.parse(text)), text).toBe(false)
  })

  it('truncated: the answer ends in the middle, and is paid for', () => {
    const reply = responseOf(only('truncated').handle(ask(1)))
    expect(chatBody(reply).choices[0].finish_reason).toBe('length')
    expect(() => JSON.parse(chatBody(reply).choices[0].message.content)).toThrow()
    expect(reply.record).toMatchObject({ billed: true, outputTokens: chatBody(reply).usage.completion_tokens })
  })

  it('slow: the answer is right, and late', () => {
    const reply = responseOf(only('slow').handle(ask(1)))
    expect(reply).toMatchObject({ status: 200, delayMs: 900 })
    expect(JSON.parse(chatBody(reply).choices[0].message.content)).toHaveProperty('topic')
  })

  it('reset: nothing is answered and nothing charged', () => {
    expect(only('reset').handle(ask(1))).toMatchObject({
      kind: 'reset',
      record: { status: 0, billed: false, costNano: 0 },
    })
  })

  it('rate_limited, overloaded and server_error: the provider’s status, nothing charged', () => {
    const limited = responseOf(only('rate_limited').handle(ask(1)))
    expect(limited).toMatchObject({ status: 429, headers: { 'retry-after': '1', 'retry-after-ms': '100' } })
    expect(responseOf(only('overloaded').handle(ask(1))).status).toBe(503)
    expect(responseOf(only('overloaded').handle(post('/v1/messages', MESSAGE))).status).toBe(529)
    expect(responseOf(only('server_error').handle(ask(1)))).toMatchObject({ status: 500, record: { billed: false } })
  })

  it('malformed and schema_missing leave plain text alone', () => {
    const reply = only('malformed').handle(chat('A quiet day.'))
    expect(chatBody(reply).choices[0].message.content).toBe('[simulated] A quiet day.')
    expect(reply.record.fault).toBe(null)
  })
})

describe('the account', () => {
  it('refuses a bad key, wherever the provider expects it', () => {
    const simulator = createSimulator({ nowMs: () => 0 })
    const status = (path: string, body: unknown, headers: Readonly<Record<string, string>>) =>
      responseOf(simulator.handle(post(path, body, headers))).status
    const { body } = chat('x')
    expect(status('/v1/chat/completions', body, { authorization: 'Bearer bad-key' })).toBe(401)
    expect(status('/v1/chat/completions', body, { authorization: 'Bearer good' })).toBe(200)
    expect(status('/v1/messages', MESSAGE, { 'x-api-key': 'bad-key' })).toBe(401)
    expect(status('/v1beta/models/m:generateContent?key=bad-key', CONTENTS, {})).toBe(400)
    const strict = createSimulator({ nowMs: () => 0, badKey: true })
    expect(responseOf(strict.handle(chat('x'))).status).toBe(401)
  })

  it('runs out of credit after as many answers as it has', () => {
    const simulator = createSimulator({ nowMs: () => 0, quotaRequests: 3 })
    const replies = Array.from({ length: 5 }, (_, at) => responseOf(simulator.handle(ask(at))))
    expect(replies.map((reply) => reply.status)).toEqual([200, 200, 200, 429, 429])
    expect(JSON.parse(replies[4]?.body ?? '').error.code).toBe('insufficient_quota')
    expect(responseOf(simulator.handle(post('/v1/messages', MESSAGE))).body).toContain('credit balance is too low')
  })

  it('takes no prompt beyond its context', () => {
    const simulator = createSimulator({ nowMs: () => 0, contextTokens: 100 })
    const reply = responseOf(simulator.handle(chat('long '.repeat(200))))
    expect(reply.status).toBe(400)
    expect(JSON.parse(reply.body).error.code).toBe('context_length_exceeded')
  })

  it('answers bodies that it cannot read, and addresses that it does not have, as the provider does', () => {
    const simulator = createSimulator({ nowMs: () => 0 })
    const status = (request: Parameters<typeof simulator.handle>[0]) => responseOf(simulator.handle(request)).status
    expect(status(post('/v1/chat/completions', '{"model":'))).toBe(400)
    expect(status(post('/v1/chat/completions', '[]'))).toBe(400)
    expect(status(post('/v1/chat/completions', { model: 'm' }))).toBe(400)
    expect(status(post('/v1/chat/completions', { ...JSON.parse(chat('x').body), stream: true }))).toBe(400)
    expect(status(post('/v1/messages', { model: 'm', messages: [{ role: 'user', content: 'x' }] }))).toBe(400)
    expect(status(post('/v1/nothing', '{}'))).toBe(404)
    expect(status({ method: 'GET', path: '/v1/models', headers: {}, body: '' })).toBe(200)
  })
})

const MESSAGE = { model: 'm', max_tokens: 100, messages: [{ role: 'user', content: 'hello' }] }
const CONTENTS = { contents: [{ role: 'user', parts: [{ text: 'hello' }] }] }

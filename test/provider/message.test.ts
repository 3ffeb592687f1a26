import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cleanMessage } from '../../src/provider/message.ts'
import { ask, replyOf } from './replay.ts'

const key = fc.string({ unit: fc.constantFrom(...'abcdefghijkLMNOP0123456789_-'), minLength: 16, maxLength: 60 })

describe('messages of providers', () => {
  it('are one line of at most 300 characters', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 2000 }), (text) => {
        const line = cleanMessage(text, null)
        expect(line.length).toBeLessThanOrEqual(300)
        expect(line).not.toMatch(/[\n\r\t\p{Cc}]/u)
      }),
    )
  })

  it('never hold the key that was sent, wherever it stands', () => {
    fc.assert(
      fc.property(key, fc.string(), fc.string(), (secret, before, after) => {
        expect(cleanMessage(`${before}${secret}${after}`, secret)).not.toContain(secret)
      }),
    )
  })

  it.each([
    ['Incorrect API key provided: sk-proj-abcdef123456.', 'Incorrect API key provided: [key].'],
    ['Incorrect API key provided: my pass', 'Incorrect API key provided: [key] pass'],
    ['bad token sk-ant-api03-abcdefgh', 'bad token [key]'],
    ['Authorization: Bearer abc.def-123', 'Authorization: [key]'],
    ['got AIzaSyA1234567890abc', 'got [key]'],
    ['GET /v1/models?key=abc123&alt=sse', 'GET /v1/models?key=[key]&alt=sse'],
    ['invalid_api_key: check it', 'invalid_api_key: check it'],
    ['Unknown column pk_customer_identifier', 'Unknown column pk_customer_identifier'],
    ['gsk_abcdefgh0123456789', '[key]'],
    ['a task-oriented risk-averse answer', 'a task-oriented risk-averse answer'],
  ])('%s', (text, expected) => {
    expect(cleanMessage(text, null)).toBe(expected)
  })

  it('tell a web page by its title', () => {
    expect(cleanMessage('<!DOCTYPE html>\n<html><head><title> Bad\ngateway </title>', null)).toBe(
      'a web page, “Bad gateway”',
    )
    expect(cleanMessage('<html><body>no', null)).toBe('a web page')
  })

  it('reach the failure without the key', async () => {
    const secret = 'totally-unlike-a-key-0123'
    const body = { error: { message: `no such user: ${secret}`, code: 'nope' } }
    const completion = await ask('openai-chat/m', replyOf(400, body), { key: secret })
    expect(completion).toMatchObject({ ok: false, failure: { message: 'HTTP 400 nope: no such user: [key]' } })
  })
})

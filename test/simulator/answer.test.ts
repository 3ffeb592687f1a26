import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createSimulator } from '../../src/simulator/simulator.ts'
import { answerTo, chat, chatBody, responseOf, TICKET_SCHEMA } from './asking.ts'
import { anySchema } from './schema-arbitrary.ts'

const simulator = createSimulator({ nowMs: () => 0 })
const LEDGER = `We met Halden Pumps GmbH on 2024-03-05. Founded in 1987, the company employs 1,340 people in Bergen
and Graz; revenue was 88.5 million. Write to office@halden.example or see https://halden.example/about. 退款`

function validator(): (schema: object) => (value: unknown) => string | null {
  const ajv = new Ajv2020({ strict: false, allErrors: true, logger: false })
  addFormats.default(ajv)
  return (schema) => {
    const validate = ajv.compile(schema)
    return (value) => (validate(value) ? null : ajv.errorsText(validate.errors))
  }
}

describe('an answer by schema', () => {
  const compile = validator()

  it('is valid for any schema that a spec can hold, whatever the text', () => {
    fc.assert(
      fc.property(
        anySchema,
        fc.oneof(fc.string({ unit: 'grapheme', maxLength: 200 }), fc.constant(LEDGER)),
        (schema, text) => {
          const root = { type: 'object', properties: { it: schema }, required: ['it'], additionalProperties: false }
          const value = answerTo(simulator, text, root)
          expect(compile(root)(value), JSON.stringify(value)).toBe(null)
        },
      ),
      { numRuns: 600 },
    )
  })

  it('follows references, also those that come back to themselves', () => {
    const tree = {
      $defs: {
        node: {
          type: 'object',
          properties: {
            name: { type: 'string' },
            parent: { anyOf: [{ $ref: '#/$defs/node' }, { type: 'null' }] },
            children: { type: 'array', items: { $ref: '#/$defs/node' } },
          },
          required: ['name', 'parent', 'children'],
          additionalProperties: false,
        },
      },
      $ref: '#/$defs/node',
    }
    expect(compile(tree)(answerTo(simulator, LEDGER, tree))).toBe(null)
  })

  it('joins what allOf says in parts', () => {
    const schema = {
      type: 'object',
      properties: {
        n: {
          allOf: [
            { type: 'number', minimum: 3 },
            { type: 'integer', maximum: 5 },
          ],
        },
      },
      allOf: [{ required: ['n'] }, { properties: { word: { enum: ['red', 'blue'] } }, required: ['word'] }],
    }
    expect(compile(schema)(answerTo(simulator, 'blue', schema))).toBe(null)
  })

  it('keeps the bounds that an adapter wrote into the description', () => {
    const schema = {
      type: 'object',
      properties: { n: { type: 'number', description: 'minimum: 7; maximum: 8.' } },
      required: ['n'],
    }
    const { n } = answerTo(simulator, 'in 1999 there were 12', schema) as { n: number }
    expect(n).toBeGreaterThanOrEqual(7)
    expect(n).toBeLessThanOrEqual(8)
  })

  it.each([
    ['a keyword that cannot be followed', { type: 'object', not: {} }, "'not' is not supported"],
    [
      'bounds that contradict',
      { type: 'object', properties: { a: { type: 'integer', minimum: 2, maximum: 1 } }, required: ['a'] },
      'minimum 2',
    ],
    ['a reference to nothing', { $ref: '#/$defs/gone' }, 'points at nothing'],
    ['a circle', { $defs: { a: { $ref: '#/$defs/a' } }, $ref: '#/$defs/a' }, 'circle'],
    [
      'a required stranger',
      { type: 'object', properties: {}, required: ['x'], additionalProperties: false },
      "'x' is required",
    ],
    [
      'an endless schema',
      {
        $defs: { a: { type: 'object', properties: { a: { $ref: '#/$defs/a' } }, required: ['a'] } },
        $ref: '#/$defs/a',
      },
      'never comes to an end',
    ],
  ])('says with 400 what is wrong with %s', (_what, schema, reason) => {
    const reply = responseOf(simulator.handle(chat('x', schema)))
    expect(reply.status).toBe(400)
    expect(JSON.parse(reply.body).error.message).toContain(reason)
    expect(reply.record.billed).toBe(false)
  })
})

describe('what an answer says', () => {
  const topicOf = (text: string, values: readonly string[]) =>
    (
      answerTo(simulator, text, { type: 'object', properties: { topic: { enum: values } }, required: ['topic'] }) as {
        topic: string
      }
    ).topic

  it.each([
    ['I want a REFUND now', 'refund'],
    ['The invoices were billed to the wrong card', 'billing'],
    ['logging in fails since Monday', 'log_in', ['bug', 'log_in', 'other']],
    ['my card was stolen in the train', 'lost_or_stolen_card', ['card_arrival', 'lost_or_stolen_card', 'lost_phone']],
    ['请帮我退款，谢谢', '退款', ['登录', '退款']],
    ['Die Größe passt nicht', 'Größe', ['Farbe', 'Größe']],
    ['nothing of all that', 'other'],
    ['the catalogue has a bugle', 'other', ['log', 'bug', 'other']],
  ])(
    'to %j picks the value whose word stands there',
    (text, value, values = ['billing', 'login', 'bug', 'refund', 'other']) => {
      expect(topicOf(text, values)).toBe(value)
    },
  )

  it('is drawn by the seed where no word of the text helps', () => {
    const values = ['red', 'green', 'blue', 'pink', 'grey', 'gold']
    const schema = { type: 'object', properties: { c: { enum: values } }, required: ['c'] }
    const drawn = (seed: number) => answerTo(createSimulator({ nowMs: () => 0, seed }), 'no colour here', schema)
    expect(drawn(1)).toEqual(drawn(1))
    const many = Array.from({ length: 30 }, (_, seed) => JSON.stringify(drawn(seed)))
    expect(new Set(many).size).toBeGreaterThan(2)
  })

  it('takes figures and names from the text, and marks free text as simulated', () => {
    const schema = {
      type: 'object',
      properties: {
        company_name: { type: 'string' },
        founded: { type: 'integer', minimum: 1800, maximum: 2030 },
        employees: { type: 'integer', minimum: 1 },
        email: { type: 'string', format: 'email' },
        summary: { type: 'string', maxLength: 60 },
        code: { type: 'string', maxLength: 8 },
      },
      required: ['company_name', 'founded', 'employees', 'email', 'summary', 'code'],
    }
    expect(answerTo(simulator, LEDGER.replace('We met ', ''), schema)).toEqual({
      company_name: '[simulated] Halden Pumps GmbH',
      founded: 1987,
      employees: 1340,
      email: 'office@halden.example',
      summary: expect.stringMatching(/^\[simulated\] Halden Pumps/),
      code: expect.stringMatching(/^.{1,8}$/),
    })
  })

  it('begins with the mark in plain text too, and never names a real model', () => {
    const body = chatBody(
      simulator.handle(chat('The harbour froze in March. Ships waited.', null, { model: 'gpt-5-mini' })),
    )
    expect(body.choices[0].message.content).toMatch(/^\[simulated\] The harbour froze/)
    expect(body.model).toBe('gpt-5-mini-simulated')
  })

  it('is cut where max_tokens ends, with the finish reason for it', () => {
    const body = chatBody(simulator.handle(chat('Ärger mit Übersee '.repeat(20), null, { max_tokens: 5 })))
    expect(body.choices[0].finish_reason).toBe('length')
    expect(body.usage.completion_tokens).toBe(5)
    expect(Buffer.byteLength(body.choices[0].message.content)).toBeLessThanOrEqual(20)
  })

  it('counts a fourth of the bytes, of everything that was sent to be read', () => {
    const body = chatBody(simulator.handle(chat('é'.repeat(40), TICKET_SCHEMA)))
    const sent = 'You label support tickets.'.length + 80 + JSON.stringify(TICKET_SCHEMA).length
    expect(body.usage.prompt_tokens).toBe(Math.ceil(sent / 4))
    expect(body.usage.completion_tokens).toBe(Math.ceil(Buffer.byteLength(body.choices[0].message.content) / 4))
  })
})

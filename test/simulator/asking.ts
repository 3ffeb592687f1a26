import { systemRuntime } from '../../src/runtime.ts'
import type { SimulatedReply, SimulatedRequest } from '../../src/simulator/exchange.ts'
import type { Simulator } from '../../src/simulator/simulator.ts'

/** The real clock, for what must wait. */
export const { after } = systemRuntime()

/** A chat request over one text, with a schema for its answer or without. */
export function chat(
  text: string,
  schema: unknown = null,
  more: Readonly<Record<string, unknown>> = {},
): SimulatedRequest {
  const format = schema === null ? {} : { response_format: { type: 'json_schema', json_schema: { name: 'a', schema } } }
  return post('/v1/chat/completions', {
    model: 'tickets',
    messages: [
      { role: 'system', content: 'You label support tickets.' },
      { role: 'user', content: text },
    ],
    ...format,
    ...more,
  })
}

export function post(path: string, body: unknown, headers: Readonly<Record<string, string>> = {}): SimulatedRequest {
  return { method: 'POST', path, headers, body: typeof body === 'string' ? body : JSON.stringify(body) }
}

export type Response = Extract<SimulatedReply, { kind: 'response' }>

export function responseOf(reply: SimulatedReply): Response {
  if (reply.kind !== 'response') throw new Error(`expected a response, got ${reply.kind}`)
  return reply
}

interface ChatBody {
  readonly model: string
  readonly choices: readonly [
    { readonly message: { readonly content: string; readonly refusal: string | null }; readonly finish_reason: string },
  ]
  readonly usage: { readonly prompt_tokens: number; readonly completion_tokens: number }
}

export function chatBody(reply: SimulatedReply): ChatBody {
  return JSON.parse(responseOf(reply).body)
}

/** What the simulator answers to a text by a schema, parsed. */
export function answerTo(simulator: Simulator, text: string, schema: unknown): unknown {
  const reply = responseOf(simulator.handle(chat(text, schema)))
  if (reply.status !== 200) throw new Error(reply.body)
  return JSON.parse(chatBody(reply).choices[0].message.content)
}

export const TICKET_SCHEMA = Object.freeze({
  type: 'object',
  properties: {
    topic: { type: 'string', enum: ['billing', 'login', 'bug', 'refund', 'other'] },
    sentiment: { type: 'string', enum: ['negative', 'neutral', 'positive'] },
    urgent: { type: 'boolean' },
    confidence: { type: 'number', minimum: 0, maximum: 1 },
  },
  required: ['topic', 'sentiment', 'urgent', 'confidence'],
  additionalProperties: false,
})

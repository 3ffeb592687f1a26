import { describe, expect, it } from 'vitest'
import type { ModelRequest } from '../../src/domain/request.ts'
import { cachesFrom } from '../../src/provider/prompt-cache.ts'
import { modelsOver, targetOf } from './replay.ts'

const SYSTEM = `Label tickets. ${'Use only the values that are allowed. '.repeat(400)}`
const SCHEMA = { type: 'object', properties: { topic: { type: 'string' } }, required: ['topic'] }

async function bodyOf(id: string, request: Omit<ModelRequest, 'target'>) {
  const target = targetOf(id, { params: { max_output_tokens: 100 } })
  const model = modelsOver(() => Promise.reject(new Error('sent'))).open(target)
  const { body } = await model.preview({ target, ...request })
  return JSON.parse(body) as { system?: unknown; messages: unknown[] }
}

const plain = (user: string, fixed: ModelRequest['fixed']): Omit<ModelRequest, 'target'> => ({
  system: SYSTEM,
  messages: [{ role: 'user', text: user }],
  schema: SCHEMA,
  ...(fixed && { fixed }),
})

const MARK = { cache_control: { type: 'ephemeral' } }

describe('the mark for the provider’s cache of prompts', () => {
  it('is on the system prompt where that is all that is fixed', async () => {
    const { system, messages } = await bodyOf(
      'anthropic/claude-sonnet-4-5',
      plain('Ticket 1', { system: true, userChars: 0, bytes: SYSTEM.length }),
    )
    expect(system).toEqual([{ type: 'text', text: SYSTEM, ...MARK }])
    expect(messages).toEqual([{ role: 'user', content: [{ type: 'text', text: 'Ticket 1' }] }])
  })

  it('is on the end of what is fixed of the first message, and changes no text', async () => {
    const { system, messages } = await bodyOf(
      'anthropic/claude-sonnet-4-5',
      plain('Rules first. Ticket 1', { system: true, userChars: 12, bytes: SYSTEM.length + 12 }),
    )
    expect(system).toEqual([{ type: 'text', text: SYSTEM }])
    expect(messages).toEqual([
      {
        role: 'user',
        content: [
          { type: 'text', text: 'Rules first.', ...MARK },
          { type: 'text', text: ' Ticket 1' },
        ],
      },
    ])
  })

  it('is not there where the fixed part is too short for the model, or unknown', async () => {
    const short = { system: true, userChars: 0, bytes: 4096 * 3 - 1 }
    for (const fixed of [short, undefined])
      expect(JSON.stringify(await bodyOf('anthropic/claude-haiku-4-5', plain('Ticket 1', fixed)))).not.toContain(
        'cache_control',
      )
  })

  it('goes to no other provider', async () => {
    const fixed = { system: true, userChars: 6, bytes: SYSTEM.length }
    for (const id of ['openai/gpt-5-mini', 'google/gemini-3.8-flash'])
      expect(JSON.stringify(await bodyOf(id, plain('Ticket 1', fixed)))).not.toContain('cache_control')
  })
})

describe('the shortest beginning that is kept', () => {
  it.each([
    ['anthropic', 'claude-opus-4-1', 1024],
    ['anthropic', 'claude-opus-4-20250514', 1024],
    ['anthropic', 'claude-opus-4-5', 4096],
    ['anthropic', 'claude-opus-4-7-20260401', 4096],
    ['anthropic', 'claude-opus-5', 4096],
    ['anthropic', 'claude-sonnet-4-6', 1024],
    ['anthropic', 'claude-haiku-4-5', 4096],
    ['anthropic', 'claude-3-5-haiku-latest', 2048],
    ['google', 'gemini-2.5-pro', 4096],
    ['google', 'gemini-3.8-flash', 1024],
    ['openai-chat', 'gpt-5-mini', 1024],
  ] as const)('of %s %s is %i tokens', (api, model, tokens) => {
    expect(cachesFrom({ api, model })).toBe(tokens)
  })
})

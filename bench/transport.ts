import { createOpenAI } from '@ai-sdk/openai'
import { Pool } from 'undici'
import type { ModelRequest } from '../src/domain/request.ts'
import { createModels } from '../src/provider/registry.ts'
import { systemRuntime } from '../src/runtime.ts'
import { median, startInstantServer } from './contest.ts'

/**
 * What one call costs on the way to a provider and back, in CPU of this process: our model (AI SDK's `doGenerate` over our
 * transport, with its deadline, limits and usage) against the same `doGenerate` over the global fetch, and against bare
 * undici. One instant server in a process of its own, interleaved rounds, the median counts.
 * `node bench/transport.ts [requests] [in flight] [rounds]`
 */
const [requests = 10_000, inFlight = 64, rounds = 5] = process.argv.slice(2).map(Number)
const server = await startInstantServer()
const baseURL = `http://127.0.0.1:${server.port}/v1`

const schema = {
  type: 'object',
  properties: {
    topic: { type: 'string', enum: ['billing', 'login', 'bug', 'refund', 'other'] },
    urgent: { type: 'boolean' },
    confidence: { type: 'number', minimum: 0, maximum: 1 },
  },
  required: ['topic', 'urgent', 'confidence'],
} as const
const target = {
  id: 'openai-chat/gpt-4.1-mini',
  baseUrl: baseURL,
  apiKeyEnv: null,
  params: { temperature: 0, max_output_tokens: 100 },
}
const system = 'You label support tickets. Use only the allowed values.'
const text = 'Subject: I was charged twice\nHello, my card shows two payments for the same month. '.repeat(6)
const request: ModelRequest = { target, system, messages: [{ role: 'user', text }], schema }

const models = createModels({ env: () => 'bench', runtime: systemRuntime() })
const model = models.open(target)
const never = new AbortController().signal
const sdk = createOpenAI({ baseURL, apiKey: 'bench' }).chat('gpt-4.1-mini')
const pool = new Pool(`http://127.0.0.1:${server.port}`, { connections: inFlight })
const body = (await model.preview(request)).body

const contestants: Readonly<Record<string, () => Promise<unknown>>> = {
  'bare undici.request + JSON.parse': async () => {
    const reply = await pool.request({
      path: '/v1/chat/completions',
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    })
    return reply.body.json()
  },
  'sluice Model.complete': async () => {
    const completion = await model.complete(request, { timeoutMs: 60_000, signal: never, attemptId: 'bench' })
    if (!completion.ok) throw new Error(completion.failure.message)
  },
  'AI SDK doGenerate, global fetch': async () =>
    sdk.doGenerate({
      prompt: [
        { role: 'system', content: system },
        { role: 'user', content: [{ type: 'text', text }] },
      ],
      temperature: 0,
      maxOutputTokens: 100,
      responseFormat: { type: 'json', schema },
    }),
}

async function run(
  call: () => Promise<unknown>,
  count: number,
): Promise<{ readonly perSecond: number; readonly cpuMs: number }> {
  let left = count
  const cpu = process.cpuUsage()
  const began = performance.now()
  const slots = Array.from({ length: inFlight }, async () => {
    while (left > 0) {
      left -= 1
      await call()
    }
  })
  await Promise.all(slots)
  const { user, system: kernel } = process.cpuUsage(cpu)
  return { perSecond: (count * 1000) / (performance.now() - began), cpuMs: (user + kernel) / 1000 / count }
}

const scores = new Map(Object.keys(contestants).map((name) => [name, [] as Awaited<ReturnType<typeof run>>[]]))
for (const call of Object.values(contestants)) await run(call, Math.ceil(requests / 4))
for (let round = 0; round < rounds; round += 1) {
  for (const [name, call] of Object.entries(contestants)) scores.get(name)?.push(await run(call, requests))
}
for (const [name, list] of scores) {
  const perSecond = median(list.map((score) => score.perSecond))
  const cpuMs = median(list.map((score) => score.cpuMs))
  const least = Math.min(...list.map((score) => score.cpuMs))
  console.log(
    `${name.padEnd(34)} ${perSecond.toFixed(0).padStart(7)} requests/s  ${cpuMs.toFixed(3)} ms CPU each (least ${least.toFixed(3)})`,
  )
}
await Promise.all([models.close(), pool.close()])
server.stop()

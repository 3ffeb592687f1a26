import { OpenAI, toFile } from 'openai'
import { onTestFinished } from 'vitest'
import { systemRuntime } from '../../src/runtime.ts'
import type { SimulatorOptions } from '../../src/simulator/options.ts'
import { startSimulatorServer } from '../../src/simulator/server.ts'
import { createSimulator } from '../../src/simulator/simulator.ts'
import { type Api, openApi } from './api.ts'

/** A server that listens, with somebody who works, and OpenAI's own client for it. */
export interface OpenAiWorld {
  readonly api: Api
  readonly client: OpenAI
  /** Where it listens. */
  readonly url: string
  /** The client of another key. */
  clientOf(key: string): OpenAI
  /** Moves the server's clock. */
  skip(ms: number): void
}

export interface WorldSetting {
  readonly provider?: Omit<SimulatorOptions, 'nowMs'>
  /** Nobody works on what is handed in. */
  readonly idle?: boolean
  readonly config?: string
  /** The key of the providers, where whoever works has it. @default 'key' */
  readonly providerKey?: string | null
}

/** Opens one. It knows the models `gpt-test` (OpenAI's way to speak), `claude-test` (Anthropic's) and `fast` (in the server itself). */
export async function openAiWorld(setting: WorldSetting = {}): Promise<OpenAiWorld> {
  const system = systemRuntime()
  const simulator = createSimulator({ nowMs: system.now, after: system.after, ...setting.provider })
  const provider = await startSimulatorServer(simulator, { port: 0, after: system.after })
  let skippedMs = 0
  const runtime = { now: () => system.now() + skippedMs }
  const config = `
models:
  gpt-test: { id: openai/gpt-test, base_url: "${provider.url}/v1", api_key_env: PROVIDER_KEY }
  claude-test: { id: anthropic/claude-test, base_url: "${provider.url}/v1", api_key_env: PROVIDER_KEY }
  fast: simulator/fast
${setting.config ?? ''}`
  const env = setting.providerKey === null ? {} : { PROVIDER_KEY: setting.providerKey ?? 'key' }
  const api = await openApi({ config, env, runtime })
  const url = await api.app.listen({ port: 0, host: '127.0.0.1' })
  const stop = new AbortController()
  const worker =
    setting.idle === true
      ? null
      : await api.service.engine(1).workAny({ concurrency: null, signal: stop.signal, abandon: stop.signal })
  onTestFinished(async () => {
    stop.abort()
    await worker?.done
    await provider.close()
  })
  const clientOf = (apiKey: string) => new OpenAI({ apiKey, baseURL: `${url}/v1`, maxRetries: 0 })
  return {
    api,
    url,
    client: clientOf(await api.key()),
    clientOf,
    skip(ms) {
      skippedMs += ms
    },
  }
}

/** A line of a batch's file. */
export function chatLine(customId: string, content: string, more: object = {}, model = 'fast') {
  const body = { model, messages: [{ role: 'user', content }], ...more }
  return { custom_id: customId, method: 'POST', url: '/v1/chat/completions', body }
}

/** Uploads lines as the file of a batch. */
export async function upload(client: OpenAI, lines: readonly (object | string)[], name = 'requests.jsonl') {
  const text = lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n')
  return client.files.create({ file: await toFile(Buffer.from(text), name), purpose: 'batch' })
}

/** Makes a batch of lines. */
export async function batchOf(
  client: OpenAI,
  lines: readonly (object | string)[],
  endpoint: OpenAI.BatchCreateParams['endpoint'] = '/v1/chat/completions',
  more: Partial<OpenAI.BatchCreateParams> = {},
) {
  const file = await upload(client, lines)
  const asked = { endpoint, completion_window: '24h', metadata: { who: 'me' }, ...more } as const
  return client.batches.create({ input_file_id: file.id, ...asked })
}

const LOOK_MS = 100

/** The batch, once it stands so. */
export async function until(
  client: OpenAI,
  id: string,
  ...wanted: readonly OpenAI.Batch['status'][]
): Promise<OpenAI.Batch> {
  const { sleep } = systemRuntime()
  for (;;) {
    const batch = await client.batches.retrieve(id)
    if (wanted.includes(batch.status)) return batch
    if (['completed', 'failed', 'expired', 'cancelled'].includes(batch.status)) {
      throw new Error(`the batch is ${batch.status}: ${JSON.stringify(batch.errors)}`)
    }
    await sleep(LOOK_MS)
  }
}

/** The lines of a file. */
export async function linesOf(client: OpenAI, fileId: string | undefined | null) {
  if (fileId === undefined || fileId === null) return []
  const text = await (await client.files.content(fileId)).text()
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
}

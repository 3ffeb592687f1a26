import { setTimeout as delay } from 'node:timers/promises'
import { type SimulatorFetch, simulatorFetch } from '../../src/simulator/fetch.ts'
import type { SimulatorOptions } from '../../src/simulator/options.ts'
import type { RequestRecord } from '../../src/simulator/request-log.ts'
import { createSimulator, type Simulator } from '../../src/simulator/simulator.ts'
import { TICKET_SCHEMA } from './asking.ts'

/** A request of a batch: its id, and the text that it asks about. */
export interface Asked {
  readonly id: string
  readonly text: string
}

export const texts = (count: number, from = 0): readonly Asked[] =>
  Array.from({ length: count }, (_, at) => ({
    id: `row-${from + at}`,
    text: `I was billed twice for order ${from + at}.`,
  }))

/** A simulator in this process whose clock stands until it is moved. */
export interface Bench {
  readonly simulator: Simulator
  readonly fetch: SimulatorFetch
  readonly clock: { ms: number }
  readonly records: RequestRecord[]
  /** Moves the clock, and waits for the answers that are due. */
  pass(ms: number): Promise<void>
  get(path: string): Promise<Reply>
  post(path: string, body?: unknown): Promise<Reply>
}

export interface Reply {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  // biome-ignore lint/suspicious/noExplicitAny: whatever a provider says
  readonly json: any
}

export const ORIGIN = 'http://simulator.test'

export function benchOf(options: Partial<SimulatorOptions> = {}): Bench {
  const clock = { ms: 1_790_000_000_000 }
  const records: RequestRecord[] = []
  const simulator = createSimulator({ nowMs: () => clock.ms, ...options })
  const fetch = simulatorFetch(simulator, { sleep: (ms) => delay(ms), log: (record) => void records.push(record) })
  const call = async (path: string, init: Parameters<SimulatorFetch>[1]) => replyOf(await fetch(ORIGIN + path, init))
  return {
    ...{ simulator, fetch, clock, records },
    pass: async (ms) => {
      clock.ms += ms
      await simulator.batches.settled()
    },
    get: (path) => call(path, { method: 'GET' }),
    post: (path, body) => call(path, { method: 'POST', body: body === undefined ? null : JSON.stringify(body) }),
  }
}

export async function replyOf(response: Response): Promise<Reply> {
  const text = await response.text()
  return { status: response.status, headers: response.headers, text, json: jsonOrNull(text) }
}

function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

/** The lines of a result, those that are no JSON as `null`. */
// biome-ignore lint/suspicious/noExplicitAny: whatever a provider says
export function linesOf(text: string): any[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map(jsonOrNull)
}

/** A provider's batch API, in as many words as the tests need. */
export interface Speaker {
  readonly name: 'openai' | 'anthropic' | 'gemini' | 'mistral'
  create(bench: Bench, asked: readonly Asked[], shard?: string): Promise<Reply>
  look(bench: Bench, id: string): Promise<Reply>
  cancel(bench: Bench, id: string): Promise<Reply>
  list(bench: Bench): Promise<Reply>
  idOf(reply: Reply): string
  /** In our words: `validating`, `running`, … or how it ended. */
  stateOf(reply: Reply): string
  /** Where the answers of a batch that has ended can be downloaded. */
  contentPath(reply: Reply): string
  /** All result lines, the id of each, and whether it was answered. */
  results(bench: Bench, id: string): Promise<readonly Result[]>
  /** The same request, as it would go to the live endpoint. */
  live(bench: Bench, asked: Asked): Promise<Reply>
}

export interface Result {
  readonly id: string | null
  readonly isAnswer: boolean
  /** The live endpoint's body, or whatever stands for it. */
  readonly body: unknown
}

export function upload(bench: Pick<Bench, 'fetch'>, path: string, lines: string, name = 'shard.jsonl'): Promise<Reply> {
  const form = new FormData()
  form.set('purpose', 'batch')
  form.set('file', new File([lines], name))
  return bench.fetch(ORIGIN + path, { method: 'POST', body: form }).then(replyOf)
}

const jsonl = (values: readonly unknown[]) => values.map((value) => `${JSON.stringify(value)}\n`).join('')

export function chatOf(text: string) {
  return {
    model: 'tickets',
    messages: [{ role: 'user', content: text }],
    response_format: { type: 'json_schema', json_schema: { name: 'a', schema: TICKET_SCHEMA } },
  }
}

export const chatLine = ({ id, text }: Asked) => ({
  custom_id: id,
  method: 'POST',
  url: '/v1/chat/completions',
  body: chatOf(text),
})

const messageOf = (text: string) => ({
  model: 'tickets',
  max_tokens: 1000,
  messages: [{ role: 'user', content: text }],
  output_config: { format: { type: 'json_schema', schema: TICKET_SCHEMA } },
})

const contentOf = (text: string) => ({
  contents: [{ role: 'user', parts: [{ text }] }],
  generationConfig: { responseMimeType: 'application/json', responseJsonSchema: TICKET_SCHEMA },
})

const metadataOf = (shard: string | undefined) => ({
  ...(shard !== undefined && { metadata: { sluice_shard: shard } }),
})

// biome-ignore lint/suspicious/noExplicitAny: whatever a provider says
const openAiResult = (line: any): Result => ({
  id: line?.custom_id ?? null,
  isAnswer: line?.response?.status_code === 200,
  body: line?.response?.body ?? line?.error ?? null,
})

const openai: Speaker = {
  name: 'openai',
  create: async (bench, asked, shard) => {
    const file = await upload(bench, '/v1/files', jsonl(asked.map(chatLine)))
    const told = { input_file_id: file.json.id, endpoint: '/v1/chat/completions', completion_window: '24h' }
    return bench.post('/v1/batches', { ...told, ...metadataOf(shard) })
  },
  look: (bench, id) => bench.get(`/v1/batches/${id}`),
  cancel: (bench, id) => bench.post(`/v1/batches/${id}/cancel`),
  list: (bench) => bench.get('/v1/batches'),
  idOf: ({ json }) => json.id,
  stateOf: ({ json }) => (json.status === 'in_progress' ? 'running' : json.status),
  contentPath: ({ json }) => `/v1/files/${json.output_file_id}/content`,
  results: async (bench, id) => {
    const { json } = await bench.get(`/v1/batches/${id}`)
    const files = [json.output_file_id, json.error_file_id].filter((one) => one !== null)
    const replies = await Promise.all(files.map((one) => bench.get(`/v1/files/${one}/content`)))
    return replies.flatMap(({ text }) => linesOf(text)).map(openAiResult)
  },
  live: (bench, { text }) => bench.post('/v1/chat/completions', chatOf(text)),
}

const ANTHROPIC = '/v1/messages/batches'
const anthropic: Speaker = {
  name: 'anthropic',
  create: (bench, asked) =>
    bench.post(ANTHROPIC, { requests: asked.map(({ id, text }) => ({ custom_id: id, params: messageOf(text) })) }),
  look: (bench, id) => bench.get(`${ANTHROPIC}/${id}`),
  cancel: (bench, id) => bench.post(`${ANTHROPIC}/${id}/cancel`, {}),
  list: (bench) => bench.get(ANTHROPIC),
  idOf: ({ json }) => json.id,
  stateOf: ({ json }) => {
    if (json.processing_status !== 'ended') return json.processing_status === 'canceling' ? 'cancelling' : 'running'
    const { expired, canceled } = json.request_counts
    return expired > 0 ? 'expired' : canceled > 0 ? 'cancelled' : 'completed'
  },
  contentPath: ({ json }) => new URL(json.results_url).pathname,
  results: async (bench, id) => {
    const { text } = await bench.get(anthropic.contentPath(await bench.get(`${ANTHROPIC}/${id}`)))
    return linesOf(text).map((line) => ({
      id: line?.custom_id ?? null,
      isAnswer: line?.result.type === 'succeeded',
      body: line?.result.message ?? line?.result ?? null,
    }))
  },
  live: (bench, { text }) => bench.post('/v1/messages', messageOf(text)),
}

const gemini: Speaker = {
  name: 'gemini',
  create: async (bench, asked, shard = 'a shard') => {
    const lines = jsonl(asked.map(({ id, text }) => ({ key: id, request: contentOf(text) })))
    const started = await bench.fetch(`${ORIGIN}/upload/v1beta/files`, {
      method: 'POST',
      headers: { 'x-goog-upload-protocol': 'resumable', 'x-goog-upload-command': 'start' },
      body: JSON.stringify({ file: { display_name: 'input' } }),
    })
    const sent = await bench.fetch(String(started.headers.get('x-goog-upload-url')), {
      method: 'POST',
      headers: { 'x-goog-upload-offset': '0', 'x-goog-upload-command': 'upload, finalize' },
      body: lines,
    })
    const { file } = (await sent.json()) as { file: { name: string } }
    const batch = { displayName: shard, inputConfig: { fileName: file.name } }
    return bench.post('/v1beta/models/tickets:batchGenerateContent', { batch })
  },
  look: (bench, id) => bench.get(`/v1beta/${id}`),
  cancel: (bench, id) => bench.post(`/v1beta/${id}:cancel`, {}),
  list: (bench) => bench.get('/v1beta/batches'),
  idOf: ({ json }) => json.name,
  stateOf: ({ json }) => {
    const state = String(json.metadata.state).replace('BATCH_STATE_', '').toLowerCase()
    return { pending: 'validating', succeeded: 'completed' }[state] ?? state
  },
  contentPath: ({ json }) => `/download/v1beta/${json.metadata.output.responsesFile}:download?alt=media`,
  results: async (bench, id) => {
    const reply = await bench.get(`/v1beta/${id}`)
    if (reply.json.metadata.output === undefined) return []
    const { text } = await bench.get(gemini.contentPath(reply))
    return linesOf(text).map((line) => ({
      id: line?.key ?? null,
      isAnswer: line?.response !== undefined,
      body: line?.response ?? line?.error ?? null,
    }))
  },
  live: (bench, { text }) => bench.post('/v1beta/models/tickets:generateContent', contentOf(text)),
}

const mistral: Speaker = {
  name: 'mistral',
  create: async (bench, asked, shard) => {
    const lines = asked.map(({ id, text }) => {
      const { model: _, ...body } = chatOf(text)
      return { custom_id: id, body }
    })
    const file = await upload(bench, '/mistral/v1/files', jsonl(lines))
    const told = { input_files: [file.json.id], endpoint: '/v1/chat/completions', model: 'tickets' }
    return bench.post('/mistral/v1/batch/jobs', { ...told, ...metadataOf(shard) })
  },
  look: (bench, id) => bench.get(`/mistral/v1/batch/jobs/${id}`),
  cancel: (bench, id) => bench.post(`/mistral/v1/batch/jobs/${id}/cancel`),
  list: (bench) => bench.get('/mistral/v1/batch/jobs'),
  idOf: ({ json }) => json.id,
  stateOf: ({ json }) =>
    ({
      QUEUED: 'validating',
      RUNNING: 'running',
      CANCELLATION_REQUESTED: 'cancelling',
      SUCCESS: 'completed',
      TIMEOUT_EXCEEDED: 'expired',
      CANCELLED: 'cancelled',
      FAILED: 'failed',
    })[json.status as string] ?? json.status,
  contentPath: ({ json }) => `/mistral/v1/files/${json.output_file}/content`,
  results: async (bench, id) => {
    const { json } = await bench.get(`/mistral/v1/batch/jobs/${id}`)
    const files = [json.output_file, json.error_file].filter((one) => one !== null)
    const replies = await Promise.all(files.map((one) => bench.get(`/mistral/v1/files/${one}/content`)))
    return replies.flatMap(({ text }) => linesOf(text)).map(openAiResult)
  },
  live: (bench, { text }) => bench.post('/v1/chat/completions', chatOf(text)),
}

export const SPEAKERS: readonly Speaker[] = [openai, anthropic, gemini, mistral]

/** Creates a batch and lets it end. */
export async function runBatch(
  bench: Bench,
  speaker: Speaker,
  asked: readonly Asked[],
  shard?: string,
): Promise<string> {
  const id = speaker.idOf(await speaker.create(bench, asked, shard))
  await bench.pass(49 * 3_600_000)
  return id
}

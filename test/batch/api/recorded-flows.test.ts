import { afterEach, describe, expect, it } from 'vitest'
import { createBatchApis } from '../../../src/batch/apis.ts'
import type { BatchApi, RequestLine } from '../../../src/batch/batch-api.ts'
import type { BatchKind, BatchSaid } from '../../../src/domain/batch.ts'
import type { Completion } from '../../../src/domain/completion.ts'
import type { Model } from '../../../src/provider/model.ts'
import { createModels } from '../../../src/provider/registry.ts'
import { createTransport } from '../../../src/provider/transport.ts'
import { systemRuntime } from '../../../src/runtime.ts'
import { summary } from '../../provider/replay.ts'
import { HAS_RECORDINGS, type Interaction, type ReplayServer, readFlow, replayServer } from './recorded-flow.ts'
import { NEVER, offerOf, textsOf } from './scripted.ts'

const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()))
})

/** A model and its batch API over real sockets to a server. */
function reach(id: string, server: ReplayServer, path: string): { api: BatchApi; kind: BatchKind; model: Model } {
  const transport = createTransport()
  closing.push(server.close, transport.close)
  const runtime = systemRuntime()
  const env = () => 'a-key-of-mine'
  const target = { id, baseUrl: `${server.url}${path}`, apiKeyEnv: null, params: {} }
  const models = createModels({ env, runtime, transport })
  const encoded = { ok: true, url: urlOf(id, target.baseUrl), headers: {}, body: '{}', schemaLevel: null } as const
  const kind = models.batchKind(target, encoded)
  return { api: createBatchApis({ env, runtime, http: transport.http }).open(kind), kind, model: models.open(target) }
}

function urlOf(id: string, base: string): string {
  if (id.startsWith('anthropic')) return `${base}/messages`
  if (id.startsWith('google')) return `${base}/models/${id.slice('google/'.length)}:generateContent`
  return `${base}/${id.startsWith('openai-responses') ? 'responses' : 'chat/completions'}`
}

function saidOf<T>(answer: { readonly is: string; readonly value?: T }): T {
  if (answer.is !== 'said') throw new Error(`not said: ${JSON.stringify(answer)}`)
  return answer.value as T
}

/** Sends, waits and collects as the batcher would, and takes down what it is told. */
async function live({ api, kind, model }: ReturnType<typeof reach>, lines: readonly RequestLine[]) {
  const offer = offerOf(kind, lines)
  const fileId = saidOf(await api.upload(offer, NEVER))
  let said: BatchSaid = saidOf(await api.create(offer, fileId, NEVER))
  const phases: string[] = [said.phase]
  while (said.end === null) {
    said = saidOf(await api.poll(said.batchId, NEVER))
    if (phases.at(-1) !== said.phase) phases.push(said.phase)
  }
  const completions = new Map<string, Completion>()
  for await (const line of api.results(said, NEVER)) {
    const { id, result } = api.readLine(line)
    if (result.kind !== 'reply') throw new Error(`no reply: ${line}`)
    const request = {
      target: { ...kind.target, params: {} },
      system: null,
      messages: [{ role: 'user' as const, text: '?' }],
      schema: null,
    }
    completions.set(id ?? '', await model.decode(request, { ...result, schemaLevel: null }))
  }
  return { said, phases: phases.join(' '), completions }
}

const results = (completions: ReadonlyMap<string, Completion>) =>
  [...completions].map(([id, completion]) => `${id}: ${summary(completion)}`)

/** The requests that a recorded client sent, as lines of ours. */
function openAiLines(flow: readonly Interaction[]): RequestLine[] {
  const upload = flow.find(({ request }) => request.url.endsWith('/files'))?.request.body ?? ''
  const lines = upload.split(/\r?\n/).filter((line) => line.startsWith('{'))
  return lines.map((line) => {
    const { custom_id: id, body } = JSON.parse(line) as { custom_id: string; body: unknown }
    return { id, body: JSON.stringify(body) }
  })
}

const jsonLines = (text: string) =>
  text.split(/\r?\n/).flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as unknown] : []))

describe.skipIf(!HAS_RECORDINGS)(
  `recorded batches of OpenAI${HAS_RECORDINGS ? '' : ' (skipped: ../shared/data/recordings is not here)'}`,
  () => {
    const flows: readonly (readonly [name: string, id: string, phases: string, counts: string, results: string[]])[] = [
      [
        'curator-openai-basic-batch-completion',
        'openai/gpt-3.5-turbo',
        'validating running finalizing ended',
        '3 3 0',
        ['0: stop 10/0/0/72/0', '1: stop 9/0/0/97/0', '2: stop 9/0/0/110/0'],
      ],
      [
        'curator-openai-basic-batch-resume',
        'openai/gpt-3.5-turbo',
        'validating running finalizing ended',
        '3 3 0',
        ['0: stop 10/0/0/95/0', '1: stop 9/0/0/57/0', '2: stop 9/0/0/75/0'],
      ],
      [
        'curator-openai-failed-request-batch-resume',
        'openai/gpt-3.5-turbo',
        'validating running finalizing ended',
        '1 1 0',
        ['2: stop 9/0/0/92/0'],
      ],
      [
        'curator-openai-resubmission-batch-completion',
        'openai/gpt-3.5-turbo',
        'validating running ended',
        '3 2 1',
        ['0: stop 10/0/0/3/0', '1: stop 9/0/0/105/0'],
      ],
      [
        'ruby-llm-openai-batch-with-openai-gpt-5-nano-answers-staged-chats-and-appends-the-answers-to-their-conversatio',
        'openai-responses/gpt-5-nano',
        'validating running ended',
        '2 2 0',
        ['0: stop 18/0/0/109/64', '1: stop 18/0/0/115/64'],
      ],
    ]

    it.each(flows)('%s', async (name, id, phases, counts, expected) => {
      const flow = readFlow(name)
      const server = await replayServer(flow)
      const reached = reach(id, server, '/v1')
      const batch = await live(reached, openAiLines(flow))
      const { total, succeeded, failed } = batch.said
      expect([batch.phases, `${total} ${succeeded} ${failed}`]).toEqual([phases, counts])
      expect(results(batch.completions)).toEqual(expected)
      // What we uploaded is what their client uploaded.
      expect(jsonLines(server.posted.get('/v1/files')?.[0] ?? '')).toEqual(jsonLines(flow[0]?.request.body ?? ''))
      const created = JSON.parse(server.posted.get('/v1/batches')?.[0] ?? '') as object
      const { metadata: _, ...theirs } = JSON.parse(
        flow.find(({ request }) => request.url.endsWith('/batches'))?.request.body ?? '',
      ) as { metadata?: unknown }
      expect(created).toMatchObject(theirs)
    })

    it('one whose third request is nowhere in its results, and is sent again by itself', async () => {
      const flow = readFlow('curator-openai-resubmission-batch-completion')
      const reached = reach('openai/gpt-3.5-turbo', await replayServer(flow), '/v1')
      const lines = openAiLines(flow)
      const missing = new Set(lines.map(({ id }) => id))
      const batches: string[] = []
      for (const _ of ['once', 'again', 'and again']) {
        const batch = await live(
          reached,
          lines.filter(({ id }) => missing.has(id)),
        )
        batches.push(`${batch.said.batchId.slice(-4)}: ${results(batch.completions).join(', ')}`)
        for (const [id, completion] of batch.completions)
          if (completion.ok && completion.finish === 'stop') missing.delete(id)
      }
      expect(missing).toEqual(new Set())
      expect(batches).toEqual([
        '2725: 0: stop 10/0/0/3/0, 1: stop 9/0/0/105/0',
        'dd88: 2: length 9/0/0/76/0',
        'f159: 2: stop 9/0/0/92/0',
      ])
    })

    it('a cancelled one', async () => {
      const flow = readFlow('curator-openai-batch-cancel')
      const { api, kind } = reach('openai/gpt-3.5-turbo', await replayServer(flow), '/v1')
      const offer = offerOf(kind, openAiLines(flow))
      const { batchId } = saidOf(await api.create(offer, 'file-1', NEVER))
      expect(saidOf(await api.poll(batchId, NEVER))).toMatchObject({ phase: 'validating', end: null, total: null })
      expect(saidOf(await api.cancel(batchId, NEVER))).toMatchObject({
        phase: 'cancelling',
        end: null,
        createdAtMs: 1_744_391_935_000,
      })
    })

    it('a list of them, from the newest', async () => {
      const flow = readFlow('ruby-openai-openai-batches-list').slice(2)
      const { api } = reach('openai/gpt-3.5-turbo', await replayServer(flow), '/v1')
      const listed = saidOf(await api.list(1_741_960_000_000, NEVER))
      expect(listed.length).toBeGreaterThan(3)
      expect(listed[0]).toMatchObject({
        shardId: null,
        said: { batchId: 'batch_67d450cd97488190af087942d89c28e3', createdAtMs: 1_741_967_565_000 },
      })
      expect(listed.map(({ said }) => said.end)).toContain('cancelled')
      const times = listed.map(({ said }) => said.createdAtMs)
      expect(times).toEqual([...times].sort((a, b) => (b ?? 0) - (a ?? 0)))
    })
  },
)

const NO_UPLOAD = {
  'POST /upload/v1beta/files': { headers: { 'x-goog-upload-url': 'ORIGIN/upload/1' }, body: '{}' },
  'POST /upload/1': { body: '{"file":{"name":"files/in"}}' },
}

function anthropicLines(flow: readonly Interaction[]): RequestLine[] {
  const { requests } = JSON.parse(flow[0]?.request.body ?? '') as { requests: { custom_id: string; params: unknown }[] }
  return requests.map(({ custom_id: id, params }) => ({ id, body: JSON.stringify(params) }))
}

describe.skipIf(!HAS_RECORDINGS)(
  `recorded batches of Anthropic${HAS_RECORDINGS ? '' : ' (skipped: ../shared/data/recordings is not here)'}`,
  () => {
    const ruby = 'ruby-llm-anthropic-batch-with-anthropic-claude-haiku-4-5'
    const flows: readonly (readonly [name: string, phases: string, counts: string, results: string[]])[] = [
      [
        'curator-anthropic-basic-batch-completion',
        'running ended',
        '3 3 0',
        ['0: stop 11/0/0/273/0', '1: stop 10/0/0/259/0', '2: stop 10/0/0/313/0'],
      ],
      [
        'curator-anthropic-basic-batch-resume',
        'running ended',
        '3 3 0',
        ['0: stop 11/0/0/278/0', '1: stop 10/0/0/301/0', '2: stop 10/0/0/287/0'],
      ],
      [
        'curator-anthropic-basic-batch-reasoning-completion',
        'running ended',
        '2 2 0',
        ['0: stop 179/0/0/15820/0', '1: stop 88/0/0/10560/0'],
      ],
      ['curator-anthropic-failed-request-batch-resume', 'running ended', '1 1 0', ['2: stop 10/0/0/337/0']],
      [
        `${ruby}-answers-staged-chats-and-appends-the-answers-to-their`,
        'running ended',
        '2 2 0',
        ['0: stop 20/0/0/5/0', '1: stop 19/0/0/4/0'],
      ],
      [
        `${ruby}-reloads-a-batch-by-id-and-collects-messages-without-t`,
        'running ended',
        '1 1 0',
        ['0: stop 20/0/0/5/0'],
      ],
    ]

    it.each(flows)('%s', async (name, phases, counts, expected) => {
      const flow = readFlow(name)
      const server = await replayServer(flow)
      const batch = await live(reach('anthropic/claude-haiku-4-5', server, '/v1'), anthropicLines(flow))
      const { total, succeeded, failed } = batch.said
      expect([batch.phases, `${total} ${succeeded} ${failed}`]).toEqual([phases, counts])
      expect(results(batch.completions)).toEqual(expected)
      expect(JSON.parse(server.posted.get('/v1/messages/batches')?.[0] ?? '')).toEqual(
        JSON.parse(flow[0]?.request.body ?? ''),
      )
    })

    it('a cancelled one', async () => {
      const flow = readFlow(`${ruby}-cancels-a-running-batch`)
      const { api, kind } = reach('anthropic/claude-haiku-4-5', await replayServer(flow), '/v1')
      const { batchId } = saidOf(await api.create(offerOf(kind, anthropicLines(flow)), null, NEVER))
      expect(saidOf(await api.cancel(batchId, NEVER))).toMatchObject({
        phase: 'cancelling',
        end: null,
        total: 1,
        succeeded: null,
      })
    })

    it('a list of them, and results that are not there yet', async () => {
      const flow = [...readFlow('anthropic-anthropic-batch-list'), ...readFlow('anthropic-anthropic-batch-results')]
      const { api } = reach('anthropic/claude-haiku-4-5', await replayServer(flow), '/v1')
      const listed = saidOf(await api.list(Date.parse('2025-01-29T14:24:58.5Z'), NEVER))
      expect(listed.map(({ said }) => said.end ?? said.phase)).toEqual(
        expect.arrayContaining(['running', 'cancelled', 'completed']),
      )
      expect(listed.every(({ shardId, said }) => shardId === null && said.total === 2)).toBe(true)
      const running = listed.find(({ said }) => said.batchId === 'msgbatch_01AHxNhUeZwskhx38tGz1QVj')
      if (running === undefined) throw new Error('not listed')
      await expect(textsOf(api.results(running.said, NEVER))).rejects.toMatchObject({
        name: 'ResultsCut',
        failure: { message: expect.stringContaining('has no available results') },
      })
    })

    it('one that a wrong key asked for', async () => {
      const flow = readFlow('anthropic-anthropic-error-logging')
      const { api, kind } = reach('anthropic/claude-haiku-4-5', await replayServer(flow), '/v1')
      expect(await api.create(offerOf(kind, anthropicLines(flow)), null, NEVER)).toMatchObject({
        is: 'refused',
        queueFull: false,
        failure: { cause: 'credentials', status: 401 },
      })
    })
  },
)

describe.skipIf(!HAS_RECORDINGS)(
  `recorded batches of Gemini and Mistral${HAS_RECORDINGS ? '' : ' (skipped: ../shared/data/recordings is not here)'}`,
  () => {
    it('Gemini’s, whose results stand in the batch itself', async () => {
      const flow = readFlow(
        'ruby-llm-gemini-batch-with-gemini-gemini-2-5-flash-answers-staged-chats-and-appends-the-answers-to-their-conve',
      )
      const server = await replayServer(flow, NO_UPLOAD)
      const lines = [{ id: '0', body: '{"contents":[]}' }]
      const batch = await live(reach('google/gemini-2.5-flash', server, '/v1beta'), lines)
      expect(batch.phases).toBe('validating running ended')
      expect(batch.said).toMatchObject({
        end: 'completed',
        total: 2,
        succeeded: 2,
        failed: 0,
        createdAtMs: Date.parse('2026-08-19T14:34:12.267Z'),
        expiresAtMs: Date.parse('2026-08-21T14:34:12.267Z'),
      })
      expect(results(batch.completions)).toEqual(['0: stop 13/0/0/44/43', '1: stop 13/0/0/54/53'])
    })

    it('Mistral’s', async () => {
      const flow = readFlow(
        'ruby-llm-mistral-batch-with-mistral-mistral-small-latest-answers-staged-chats-and-appends-the-answers-to-their',
      )
      const { outputs } = JSON.parse(flow.at(-1)?.response.body ?? '') as { outputs: unknown[] }
      // Their client read the outputs within the job; the file that the job names holds the same.
      const content = { body: outputs.map((line) => JSON.stringify(line)).join('\n') }
      const server = await replayServer(
        flow.map(({ request, response }) => ({
          request: { ...request, url: request.url.replace('/v1/', '/mistral/v1/') },
          response,
        })),
        {
          'POST /mistral/v1/files': { body: '{"id":"file-in"}' },
          'GET /mistral/v1/files/abbe56be-ac4c-4562-9586-d3046defca39/content': content,
        },
      )
      const lines = [
        {
          id: '0',
          body: '{"model":"mistral-small-latest","messages":[{"role":"user","content":"What is 2 + 2? Just the number."}]}',
        },
      ]
      const batch = await live(reach('openai-compatible/mistral-small-latest', server, '/mistral/v1'), lines)
      expect(batch.phases).toBe('validating running ended')
      expect(batch.said).toMatchObject({
        end: 'completed',
        total: 2,
        succeeded: 2,
        failed: 0,
        createdAtMs: 1_787_150_442_000,
      })
      expect(results(batch.completions)).toEqual(['0: stop 27/0/0/2/0', '1: stop 27/0/0/3/0'])
      const { requests, ...theirs } = JSON.parse(flow[0]?.request.body ?? '') as { requests: unknown[] }
      expect(JSON.parse(server.posted.get('/mistral/v1/batch/jobs')?.[0] ?? '')).toMatchObject({
        ...theirs,
        input_files: ['file-in'],
      })
      expect(jsonLines(server.posted.get('/mistral/v1/files')?.[0] ?? '')).toEqual([requests[0]])
    })
  },
)

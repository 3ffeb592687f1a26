import { describe, expect, it } from 'vitest'
import type { Job } from '../../src/domain/job.ts'
import { NO_COUNTS } from '../../src/domain/job.ts'
import type { StoredOutcome } from '../../src/domain/stored.ts'
import type { StoredFile } from '../../src/domain/stored-file.ts'
import { openAiSpec } from '../../src/engine/openai-spec.ts'
import { type BatchSteps, stepBatch } from '../../src/engine/openai-steps.ts'
import { canonicalJson } from '../../src/spec/canonical.ts'
import type { OpenAiBatch, OpenAiBatchChange } from '../../src/store/role/openai-batches.ts'

const NOW = 1_800_000_000_000
const spec = await openAiSpec('chat_completions', { id: 'simulator/fast', baseUrl: null, apiKeyEnv: null })

const BATCH: OpenAiBatch = {
  id: 'batch_1',
  tenantNo: 1,
  jobNo: 1,
  inputFileId: 'file_in',
  endpoint: '/v1/chat/completions',
  completionWindow: '24h',
  model: null,
  filesKeptMs: null,
  metadata: null,
  notify: null,
  createdAtMs: NOW,
  expiresAtMs: NOW + 1,
  outputFileId: null,
  errorFileId: null,
  errors: null,
  failedAtMs: null,
  cancellingAtMs: null,
  expiredAtMs: null,
  filesAtMs: null,
}

const ENDED = {
  state: 'completed',
  rowsTotal: 4,
  counters: { ...NO_COUNTS, succeeded: 2, failed: 1 },
  input: { format: 'jsonl', files: 1, bytes: 1, columns: ['custom_id', 'body'], notes: [], unreadable: 0 },
} as const

function outcome(rowIndex: number, state: 'succeeded' | 'failed'): StoredOutcome {
  const answer = { answer: `answer ${rowIndex}`, finish_reason: 'stop', refusal: null }
  return {
    rowIndex,
    rowId: `row-${rowIndex}`,
    chunkNo: 0,
    state,
    cause: state === 'failed' ? 'timeout' : null,
    message: state === 'failed' ? 'it took too long' : null,
    output: state === 'succeeded' ? JSON.stringify(answer) : null,
    model: 'm',
    inputTokens: 1,
    outputTokens: 2,
    round: 0,
    endedAtMs: NOW,
  } as StoredOutcome
}

const OUTCOMES = [outcome(0, 'succeeded'), outcome(1, 'failed'), outcome(2, 'succeeded')]

/** What outlives the process, and a process that dies at its `dieAt`-th write: before it, or behind it. */
function world(job: Partial<Job>, batch: Partial<OpenAiBatch> = {}) {
  const state = {
    batch: { ...BATCH, ...batch },
    files: new Map<string, StoredFile & { text: string }>(),
    writes: 0,
    ids: 0,
  }
  const life = (dieAt: number, behind: boolean): BatchSteps => {
    const write = async <T>(work: () => T | Promise<T>): Promise<T> => {
      state.writes += 1
      if (state.writes === dieAt && !behind) throw new Error('killed')
      const done = await work()
      if (state.writes === dieAt) throw new Error('killed')
      return done
    }
    const whole = { jobNo: 1, id: 'job_1', tenantNo: 1, specHash: 'h', ...ENDED, ...job } as Job
    const fileOf = (id: string) => state.files.get(id) as StoredFile & { text: string }
    const keep = (id: string, change: object) => state.files.set(id, { ...fileOf(id), ...change })
    const parts = {
      deps: {
        runtime: { now: () => NOW, uuid: () => String(state.ids++) },
        store: {
          jobs: { getByNo: async () => whole },
          specs: { get: async () => canonicalJson(spec) },
          outbox: {},
          openAiBatches: {
            set: (_tenantNo: number, _id: string, change: Partial<OpenAiBatchChange>) =>
              write(() => void Object.assign(state.batch, change)),
          },
          chunks: {
            list: async (_jobNo: number, from: number) =>
              from > 0 ? [] : [{ jobNo: 1, chunkNo: 0, firstRow: 0, rows: 3 }],
          },
          attempts: {
            tokensOf: async () => [
              { rowIndex: 0, round: 0, cachedTokens: 1, cacheWriteTokens: 0, reasoningTokens: 2 },
              { rowIndex: 0, round: 1, cachedTokens: 9, cacheWriteTokens: 9, reasoningTokens: 9 },
            ],
          },
          rows: {
            list: async (_jobNo: number, from: number, _limit: number, states?: readonly string[]) =>
              OUTCOMES.filter((each) => each.rowIndex >= from && (states?.includes(each.state) ?? true)),
          },
        },
      },
      files: {
        add: (file: StoredFile) =>
          write(() => {
            if (!state.files.has(file.id)) state.files.set(file.id, { ...file, state: 'open', bytes: 0, text: '' })
            return fileOf(file.id)
          }),
        reopen: (id: string) => write(() => void keep(id, { state: 'open', bytes: 0, text: '' })),
        append: (id: string, offset: number, bytes: AsyncIterable<Buffer>) =>
          write(async () => {
            expect(offset).toBe(fileOf(id).bytes)
            for await (const block of bytes) keep(id, { bytes: 1, text: fileOf(id).text + block.toString() })
          }),
        finish: (id: string) => write(() => void keep(id, { state: 'ready' })),
      },
      jobDeps: {},
    }
    return parts as unknown as BatchSteps
  }
  return { state, life }
}

async function finished(job: Partial<Job>, batch: Partial<OpenAiBatch>, dieAt: number, behind: boolean) {
  const { state, life } = world(job, batch)
  const signal = new AbortController().signal
  for (let lives = 0; state.batch.filesAtMs === null && state.batch.failedAtMs === null; lives++) {
    expect(lives).toBeLessThan(3)
    await stepBatch(life(dieAt, behind), { ...state.batch }, signal).catch((error: Error) =>
      expect(error.message).toBe('killed'),
    )
  }
  return state
}

describe('the end of a batch', () => {
  it('writes its files once, whenever whoever does it dies', async () => {
    const calm = await finished({}, {}, Number.POSITIVE_INFINITY, false)
    expect([...calm.files.values()].map(({ id, purpose, state }) => [id, purpose, state])).toEqual([
      [calm.batch.outputFileId, 'batch_output', 'ready'],
      [calm.batch.errorFileId, 'batch_output', 'ready'],
    ])
    for (const behind of [false, true]) {
      for (let dieAt = 1; dieAt <= calm.writes; dieAt++) {
        const { files, batch } = await finished({}, {}, dieAt, behind)
        const texts = [...files.values()].map(({ text, state }) => [text, state])
        expect(texts).toEqual([...calm.files.values()].map(({ text }) => [text, 'ready']))
        expect([...files.keys()]).toEqual([batch.outputFileId, batch.errorFileId])
      }
    }
  })

  it('says of each request what became of it, in the order of the input', async () => {
    const { files, batch } = await finished({ rowsTotal: 3 }, {}, 0, false)
    const [output, errors] = [...files.values()].map(({ text }) =>
      text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
    )
    expect(output?.map(({ custom_id, response }) => [custom_id, response.body.choices[0].message.content])).toEqual([
      ['row-0', 'answer 0'],
      ['row-2', 'answer 2'],
    ])
    const kinds = output?.map(({ response: { body } }) => [
      body.usage.prompt_tokens_details.cached_tokens,
      body.usage.completion_tokens_details.reasoning_tokens,
    ])
    // Of its own round alone; of the other row nothing is known.
    expect(kinds).toEqual([
      [1, 2],
      [0, 0],
    ])
    expect(errors?.map(({ custom_id, error }) => [custom_id, error])).toEqual([
      ['row-1', { code: 'timeout', message: 'it took too long' }],
    ])
    expect(batch).toMatchObject({ filesAtMs: NOW, expiredAtMs: null, cancellingAtMs: null })
  })

  it('is complete where the wish to end it came too late', async () => {
    const { batch } = await finished({}, { cancellingAtMs: NOW - 1, expiredAtMs: NOW - 1 }, 0, false)
    expect(batch).toMatchObject({ filesAtMs: NOW, cancellingAtMs: null, expiredAtMs: null })
  })

  it('keeps the end by time apart from that by hand', async () => {
    const expired = await finished({ state: 'cancelled' }, { expiredAtMs: NOW - 1 }, 0, false)
    expect(expired.batch).toMatchObject({ expiredAtMs: NOW - 1, cancellingAtMs: null })
    const cancelled = await finished({ state: 'cancelled' }, { cancellingAtMs: NOW - 1 }, 0, false)
    expect(cancelled.batch).toMatchObject({ expiredAtMs: null, cancellingAtMs: NOW - 1 })
    // By somebody who knows the job, and not the batch.
    const natively = await finished({ state: 'cancelled', endedAtMs: NOW - 2 }, {}, 0, false)
    expect(natively.batch).toMatchObject({ expiredAtMs: null, cancellingAtMs: NOW - 2 })
  })

  it('is a failure where its job failed, for the reasons that its check has found, or its job says', async () => {
    const found = JSON.stringify([{ code: 'empty_file', line: null, message: 'm', param: null }])
    const checked = await finished(
      { state: 'failed', input: null, rowsTotal: 0, counters: NO_COUNTS },
      { errors: found },
      0,
      false,
    )
    expect(checked.batch).toMatchObject({ failedAtMs: NOW, filesAtMs: null, errors: found })
    expect(checked.files.size).toBe(0)
    const broken = await finished({ state: 'failed', reason: 'error', detail: 'It broke.' }, {}, 0, false)
    expect(JSON.parse(broken.batch.errors ?? '')).toMatchObject([{ code: 'error', message: 'It broke.' }])
    expect(broken.files.size).toBe(2)
  })
})

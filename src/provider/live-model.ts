import type { Completion } from '../domain/completion.ts'
import type { ModelParams, ModelRequest } from '../domain/request.ts'
import type { Runtime } from '../runtime.ts'
import type { Api } from './api.ts'
import { type Call, createCalls } from './call.ts'
import { concludeAnswer, concludeFailure, type Ended } from './conclude.ts'
import { type Ask, type CallSettings, PLAIN_TEXT, toCallOptions } from './encode.ts'
import type { CompleteOptions, Model, Preview } from './model.ts'
import type { PreparedSchema } from './schema.ts'
import { createSchemaLevels } from './schema-levels.ts'
import type { Exchange, WireReply } from './wire.ts'

export interface LiveModelSettings {
  readonly api: Api
  /** As the provider knows it. */
  readonly model: string
  readonly baseUrl: URL
  /** `null`: none is needed. */
  readonly key: string | null
  readonly exchange: Exchange
  /** The server is on this machine, and may be told the attempt's id. */
  readonly local: boolean
  readonly runtime: Runtime
}

/**
 * A model behind an API: the AI SDK encodes and decodes, at `doGenerate`, without retries; sockets, time-outs, limits and
 * errors are ours. A server that refuses the output schema is asked in plainer ways from then on, at the cost of one retry.
 */
export function createLiveModel(settings: LiveModelSettings): Model {
  const { api, key, runtime, exchange } = settings
  const calls = createCalls(runtime, settings.local)
  const baseURL = settings.baseUrl.href.replace(/\/+$/, '')
  const sdkModel = api.create({ model: settings.model, baseURL, apiKey: key ?? '', fetch: calls.fetch })
  const schemas = createSchemaLevels(api.dialect)
  // A job has one set of parameters for all its rows.
  const settingsByParams = new WeakMap<ModelParams, CallSettings>()

  const settingsOf = (params: ModelParams): CallSettings => {
    const known = settingsByParams.get(params)
    if (known !== undefined) return known
    const made = api.settings(settings.model, params)
    settingsByParams.set(params, made)
    return made
  }

  const generate = (request: ModelRequest, ask: Ask, call: Call) =>
    sdkModel.doGenerate(toCallOptions(request, ask, settingsOf(request.target.params), call.signal))

  async function complete(request: ModelRequest, options: CompleteOptions): Promise<Completion> {
    const startedAt = runtime.elapsed()
    const prepared = request.schema === null ? null : schemas.prepared(request.schema)
    const call = calls.start(exchange, options)
    const ended = (): Ended => ({ call, api, key, nowMs: runtime.now(), latencyMs: runtime.elapsed() - startedAt })
    try {
      const result = await generate(request, prepared?.ask ?? PLAIN_TEXT, call)
      const completion = concludeAnswer(result, ended())
      if (prepared === null || !completion.ok) return completion
      return { ...completion, text: prepared.restore(completion.text) }
    } catch (thrown) {
      const { completion, aboutSchema } = concludeFailure(thrown, ended())
      return aboutSchema && prepared !== null ? plainer(request, prepared, completion) : completion
    } finally {
      call.close()
    }
  }

  /** The refusal of a schema as a failure that another try may mend. */
  function plainer(request: ModelRequest, prepared: PreparedSchema, completion: Completion): Completion {
    if (completion.ok || request.schema === null || !schemas.lower(request.schema, prepared)) return completion
    return { ...completion, failure: { ...completion.failure, retryable: true } }
  }

  async function preview(request: ModelRequest): Promise<Preview> {
    const prepared = request.schema === null ? null : schemas.prepared(request.schema)
    const never = new AbortController().signal
    const call = calls.start(async () => sampleReply(api), { timeoutMs: 60_000, signal: never, attemptId: 'preview' })
    try {
      const { warnings } = await generate(request, prepared?.ask ?? PLAIN_TEXT, call)
      const sent = call.request()
      const { notes } = settingsOf(request.target.params)
      const note = prepared?.note == null ? [] : [prepared.note]
      return {
        url: sent?.url ?? '',
        body: sent?.body ?? '',
        warnings: [...note, ...notes, ...warnings.map(warningText)],
      }
    } finally {
      call.close()
    }
  }

  return Object.freeze({ complete, preview })
}

function sampleReply(api: Api): WireReply {
  return { status: 200, headers: {}, body: new TextEncoder().encode(JSON.stringify(api.sample)) }
}

type Warning = Awaited<ReturnType<ReturnType<Api['create']>['doGenerate']>>['warnings'][number]

function warningText(warning: Warning): string {
  if (warning.type === 'other') return warning.message
  if (warning.type === 'deprecated') return `${warning.setting}: ${warning.message}`
  return warning.details ?? `${warning.feature} is not supported by this model and is not sent`
}

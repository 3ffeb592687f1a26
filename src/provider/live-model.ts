import type { LanguageModelV4GenerateResult } from '@ai-sdk/provider'
import type { Completion } from '../domain/completion.ts'
import { type ModelParams, type ModelRequest, mayHaveFixed } from '../domain/request.ts'
import type { Runtime } from '../runtime.ts'
import type { Api, SdkModel } from './api.ts'
import { createBatchCodec } from './batch-codec.ts'
import { asSignal, type Call, callFetch, openCall, stagedCall } from './call.ts'
import { concludeAnswer, concludeFailure, type Ended } from './conclude.ts'
import { type CallSettings, PLAIN_TEXT, toCallOptions } from './encode.ts'
import { asFlex } from './flex.ts'
import type { CompleteOptions, Model, Preview } from './model.ts'
import { type AskedSchema, createSchemaLevels } from './schema-levels.ts'
import type { Exchange, WireReply } from './wire.ts'

export interface LiveModelSettings {
  readonly api: Api
  /** As the provider knows it. */
  readonly model: string
  /** The shortest prefix, in tokens, that its provider keeps. */
  readonly cachesFrom: number
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
  const baseURL = settings.baseUrl.href.replace(/\/+$/, '')
  const connecting = api.connect({ model: settings.model, baseURL, apiKey: key ?? '', fetch: callFetch })
  // Whoever asks first hears of it; until then it is nobody's.
  connecting.catch(() => undefined)
  const schemas = createSchemaLevels(api.dialect)
  // A job has one set of parameters for all its rows.
  const settingsByParams = new WeakMap<ModelParams, CallSettings>()

  const settingsOf = (params: ModelParams, sdk: SdkModel): CallSettings => {
    const known = settingsByParams.get(params)
    if (known !== undefined) return known
    const made = sdk.settings(params)
    settingsByParams.set(params, made)
    return made
  }

  const generate = async (request: ModelRequest, asked: AskedSchema | null, call: Call, isFlex = false) => {
    const sdk = await connecting
    const plain = settingsOf(request.target.params, sdk)
    const options = isFlex && api.flex !== null ? asFlex(plain, api.flex) : plain
    const mark = mayHaveFixed(request, settings.cachesFrom) ? api.cacheMark : null
    const ask = asked?.prepared.ask ?? PLAIN_TEXT
    return sdk.model.doGenerate(toCallOptions(request, ask, options, mark, asSignal(call)))
  }

  /** What came of a call. `latency` is read when it has ended. */
  async function conclude(
    request: ModelRequest,
    asked: AskedSchema | null,
    call: Call,
    latency: () => number,
    isFlex = false,
  ) {
    const ended = (): Ended => ({ call, api, key, nowMs: runtime.now(), latencyMs: latency() })
    let result: LanguageModelV4GenerateResult
    try {
      result = await generate(request, asked, call, isFlex)
    } catch (thrown) {
      const { completion, aboutSchema } = concludeFailure(thrown, ended())
      return aboutSchema && asked !== null ? plainer(request, asked, completion) : completion
    } finally {
      call.close()
    }
    const completion = concludeAnswer(result, ended())
    if (asked === null || !completion.ok) return completion
    return { ...completion, text: asked.prepared.restore(completion.text) }
  }

  /** The refusal of a schema as a failure that another try may mend. */
  function plainer(request: ModelRequest, asked: AskedSchema, completion: Completion): Completion {
    if (completion.ok || request.schema === null || !schemas.lower(request.schema, asked)) return completion
    return { ...completion, failure: { ...completion.failure, retryable: true } }
  }

  async function complete(request: ModelRequest, options: CompleteOptions): Promise<Completion> {
    await connecting
    const startedAt = runtime.elapsed()
    const asked = request.schema === null ? null : schemas.asked(request.schema)
    const call = openCall(runtime, exchange, options, settings.local)
    return conclude(request, asked, call, () => runtime.elapsed() - startedAt, options.tier === 'flex')
  }

  async function preview(request: ModelRequest): Promise<Preview> {
    const asked = request.schema === null ? null : schemas.asked(request.schema)
    const call = stagedCall([sampleReply(api)])
    const { warnings } = await generate(request, asked, call)
    const { notes } = settingsOf(request.target.params, await connecting)
    const note = asked?.prepared.note == null ? [] : [asked.prepared.note]
    return {
      url: call.request()?.url ?? '',
      body: call.request()?.body ?? '',
      warnings: [...note, ...notes, ...warnings.map(warningText)],
    }
  }

  return Object.freeze({ complete, preview, ...createBatchCodec({ api, key, schemas, generate, conclude }) })
}

function sampleReply(api: Api): WireReply {
  return { status: 200, headers: {}, body: new TextEncoder().encode(JSON.stringify(api.sample)) }
}

type Warning = LanguageModelV4GenerateResult['warnings'][number]

function warningText(warning: Warning): string {
  if (warning.type === 'other') return warning.message
  if (warning.type === 'deprecated') return `${warning.setting}: ${warning.message}`
  return warning.details ?? `${warning.feature} is not supported by this model and is not sent`
}

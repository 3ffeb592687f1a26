import type { LanguageModelV4 } from '@ai-sdk/provider'
import type { ModelParams } from '../domain/request.ts'
import { type AnswerReader, readAnthropic, readChat, readGemini, readResponses } from './answer.ts'
import { ANTHROPIC_RULES } from './anthropic.ts'
import { COMPATIBLE_RULES } from './compatible.ts'
import { type CallSettings, plainSettings } from './encode.ts'
import type { FlexOptions } from './flex.ts'
import { GOOGLE_RULES } from './google.ts'
import {
  ANTHROPIC_HEADERS,
  COMPATIBLE_HEADERS,
  GOOGLE_HEADERS,
  GROQ_HEADERS,
  type HeaderTable,
  OPENAI_HEADERS,
} from './headers.ts'
import { OPENAI_RULES } from './openai.ts'
import { ANTHROPIC_MARK, type CacheMark } from './prompt-cache.ts'
import type { Rule } from './rule.ts'
import { GEMINI_DIALECT, OPENAI_DIALECT, type SchemaDialect } from './schema-dialect.ts'
import type { Address, ApiName } from './target.ts'
import { anthropicSettings } from './thinking.ts'

/** All that differs from one provider's API to another's. */
export interface Api {
  /** Loads the AI SDK's package for it, which takes a while, and makes its model. Every setting is given: the SDK reads no environment. */
  connect(settings: ModelSettings): Promise<SdkModel>
  /** `null`: the SDK tightens schemas for it. */
  readonly dialect: SchemaDialect | null
  readonly rules: readonly Rule[]
  readonly headers: HeaderTable
  readonly read: AnswerReader
  /** Asks for the prompt's beginning to be kept; `null`: its providers keep it by themselves, or not at all. */
  readonly cacheMark: CacheMark | null
  /** Asks for the request to go as flex; `null`: there is no word for it. */
  readonly flex: FlexOptions | null
  /** The shortest answer it could give; with it, a request is encoded without being sent. */
  readonly sample: unknown
}

/** A model of the AI SDK, and how it is to be given its parameters. */
export interface SdkModel {
  readonly model: LanguageModelV4
  settings(params: ModelParams): CallSettings
}

export interface ModelSettings {
  readonly model: string
  readonly baseURL: string
  /** Empty: none is sent, or what the server makes of it. */
  readonly apiKey: string
  readonly fetch: typeof globalThis.fetch
}

const CHAT_SAMPLE = { choices: [{ index: 0, message: { role: 'assistant', content: '{}' }, finish_reason: 'stop' }] }

/** The tables of each API. */
const APIS: Readonly<Record<ApiName, Api>> = {
  'openai-chat': {
    connect: connectChat,
    dialect: OPENAI_DIALECT,
    rules: OPENAI_RULES,
    headers: OPENAI_HEADERS,
    read: readChat,
    cacheMark: null,
    flex: { openai: { serviceTier: 'flex' } },
    sample: CHAT_SAMPLE,
  },
  'openai-responses': {
    connect: connectResponses,
    dialect: OPENAI_DIALECT,
    rules: OPENAI_RULES,
    headers: OPENAI_HEADERS,
    read: readResponses,
    cacheMark: null,
    flex: { openai: { serviceTier: 'flex' } },
    sample: { id: 'resp_0', created_at: 0, model: '', status: 'completed', output: [] },
  },
  anthropic: {
    connect: connectAnthropic,
    dialect: null,
    rules: ANTHROPIC_RULES,
    headers: ANTHROPIC_HEADERS,
    read: readAnthropic,
    cacheMark: ANTHROPIC_MARK,
    flex: null,
    sample: {
      type: 'message',
      id: 'msg_0',
      model: '',
      role: 'assistant',
      content: [],
      stop_reason: 'end_turn',
      usage: { input_tokens: 0, output_tokens: 0 },
    },
  },
  google: {
    connect: connectGoogle,
    dialect: GEMINI_DIALECT,
    rules: GOOGLE_RULES,
    headers: GOOGLE_HEADERS,
    read: readGemini,
    cacheMark: null,
    flex: { google: { serviceTier: 'flex' } },
    sample: { candidates: [{ content: { role: 'model', parts: [{ text: '{}' }] }, finishReason: 'STOP' }] },
  },
  'openai-compatible': {
    connect: connectCompatible,
    dialect: OPENAI_DIALECT,
    rules: COMPATIBLE_RULES,
    headers: COMPATIBLE_HEADERS,
    read: readChat,
    cacheMark: null,
    flex: { compatible: { service_tier: 'flex' } },
    sample: CHAT_SAMPLE,
  },
}

async function connectChat({ model, ...settings }: ModelSettings): Promise<SdkModel> {
  const { createOpenAI } = await import('@ai-sdk/openai')
  return { model: createOpenAI(settings).chat(model), settings: plainSettings }
}

async function connectResponses({ model, ...settings }: ModelSettings): Promise<SdkModel> {
  const { createOpenAI } = await import('@ai-sdk/openai')
  // Unset, OpenAI keeps every row and answer for 30 days, and writes summaries that not every account may ask for.
  const providerOptions = { openai: { store: false, reasoningSummary: null } }
  return {
    model: createOpenAI(settings).responses(model),
    settings: (params) => ({ ...plainSettings(params), providerOptions }),
  }
}

async function connectAnthropic({ model, ...settings }: ModelSettings): Promise<SdkModel> {
  const [{ createAnthropic }, { getModelCapabilities }] = await Promise.all([
    import('@ai-sdk/anthropic'),
    import('@ai-sdk/anthropic/internal'),
  ])
  const { supportsAdaptiveThinking } = getModelCapabilities(model)
  return {
    model: createAnthropic(settings).messages(model),
    settings: (params) => anthropicSettings(params, supportsAdaptiveThinking),
  }
}

async function connectGoogle({ model, ...settings }: ModelSettings): Promise<SdkModel> {
  const { createGoogle } = await import('@ai-sdk/google')
  return { model: createGoogle(settings).languageModel(model), settings: plainSettings }
}

async function connectCompatible({ model, ...settings }: ModelSettings): Promise<SdkModel> {
  const { createOpenAICompatible } = await import('@ai-sdk/openai-compatible')
  const provider = createOpenAICompatible({ ...settings, name: 'compatible', supportsStructuredOutputs: true })
  return { model: provider.chatModel(model), settings: plainSettings }
}

/** The tables for an address; Groq counts its limits in a way of its own. */
export function apiOf(address: Address): Api {
  const api = APIS[address.api]
  return /(?:^|\.)groq\.com$/.test(address.baseUrl.hostname) ? { ...api, headers: GROQ_HEADERS } : api
}

import { createAnthropic } from '@ai-sdk/anthropic'
import { createGoogle } from '@ai-sdk/google'
import { createOpenAI } from '@ai-sdk/openai'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import type { LanguageModelV4 } from '@ai-sdk/provider'
import type { ModelParams } from '../domain/request.ts'
import { type AnswerReader, readAnthropic, readChat, readGemini, readResponses } from './answer.ts'
import { ANTHROPIC_RULES } from './anthropic.ts'
import { COMPATIBLE_RULES } from './compatible.ts'
import { type CallSettings, plainSettings } from './encode.ts'
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
import type { Rule } from './rule.ts'
import { GEMINI_DIALECT, OPENAI_DIALECT, type SchemaDialect } from './schema-dialect.ts'
import type { Address, ApiName } from './target.ts'
import { anthropicSettings } from './thinking.ts'

/** All that differs from one provider's API to another's. */
export interface Api {
  /** The AI SDK's model. Every setting is given, so that the SDK reads no environment of its own. */
  create(settings: ModelSettings): LanguageModelV4
  /** `null`: the SDK tightens schemas for it. */
  readonly dialect: SchemaDialect | null
  readonly rules: readonly Rule[]
  readonly headers: HeaderTable
  readonly read: AnswerReader
  /** How the model is to be given its parameters. */
  settings(model: string, params: ModelParams): CallSettings
  /** The shortest answer it could give; with it, a request is encoded without being sent. */
  readonly sample: unknown
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
    create: ({ model, ...settings }) => createOpenAI(settings).chat(model),
    dialect: OPENAI_DIALECT,
    rules: OPENAI_RULES,
    headers: OPENAI_HEADERS,
    read: readChat,
    settings: (_model, params) => plainSettings(params),
    sample: CHAT_SAMPLE,
  },
  'openai-responses': {
    create: ({ model, ...settings }) => createOpenAI(settings).responses(model),
    dialect: OPENAI_DIALECT,
    rules: OPENAI_RULES,
    headers: OPENAI_HEADERS,
    read: readResponses,
    // Unset, OpenAI keeps every row and answer for 30 days, and writes summaries that not every account may ask for.
    settings: (_model, params) => ({
      ...plainSettings(params),
      providerOptions: { openai: { store: false, reasoningSummary: null } },
    }),
    sample: { id: 'resp_0', created_at: 0, model: '', status: 'completed', output: [] },
  },
  anthropic: {
    create: ({ model, ...settings }) => createAnthropic(settings).messages(model),
    dialect: null,
    rules: ANTHROPIC_RULES,
    headers: ANTHROPIC_HEADERS,
    read: readAnthropic,
    settings: anthropicSettings,
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
    create: ({ model, ...settings }) => createGoogle(settings).languageModel(model),
    dialect: GEMINI_DIALECT,
    rules: GOOGLE_RULES,
    headers: GOOGLE_HEADERS,
    read: readGemini,
    settings: (_model, params) => plainSettings(params),
    sample: { candidates: [{ content: { role: 'model', parts: [{ text: '{}' }] }, finishReason: 'STOP' }] },
  },
  'openai-compatible': {
    create: ({ model, ...settings }) =>
      createOpenAICompatible({ ...settings, name: 'compatible', supportsStructuredOutputs: true }).chatModel(model),
    dialect: OPENAI_DIALECT,
    rules: COMPATIBLE_RULES,
    headers: COMPATIBLE_HEADERS,
    read: readChat,
    settings: (_model, params) => plainSettings(params),
    sample: CHAT_SAMPLE,
  },
}

/** The tables for an address; Groq counts its limits in a way of its own. */
export function apiOf(address: Address): Api {
  const api = APIS[address.api]
  return /(?:^|\.)groq\.com$/.test(address.baseUrl.hostname) ? { ...api, headers: GROQ_HEADERS } : api
}

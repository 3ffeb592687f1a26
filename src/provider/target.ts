import type { ModelTarget } from '../domain/request.ts'
import { SluiceError } from '../errors.ts'

/** A way of speaking: which API of which maker. */
export type ApiName = 'openai-chat' | 'openai-responses' | 'anthropic' | 'google' | 'openai-compatible'

interface ProviderKind {
  readonly api: ApiName | 'by model'
  /** `null`: must be given. */
  readonly baseUrl: string | null
  /** Variables that are looked at where `api_key_env` names none, in order; none: the key is optional. */
  readonly keyEnv: readonly string[]
}

const OPENAI = { baseUrl: 'https://api.openai.com/v1', keyEnv: ['OPENAI_API_KEY'] } as const

/** The address that stands for the simulator in this process; `.invalid` never resolves (RFC 2606). */
export const SIMULATOR_URL = 'http://simulator.invalid/v1'

/** The providers of contract §6; `openai-chat` and `openai-responses` are `openai` with the API chosen by hand. */
export const PROVIDERS: Readonly<Record<string, ProviderKind>> = Object.freeze({
  openai: { api: 'by model', ...OPENAI },
  'openai-chat': { api: 'openai-chat', ...OPENAI },
  'openai-responses': { api: 'openai-responses', ...OPENAI },
  anthropic: { api: 'anthropic', baseUrl: 'https://api.anthropic.com/v1', keyEnv: ['ANTHROPIC_API_KEY'] },
  google: {
    api: 'google',
    baseUrl: 'https://generativelanguage.googleapis.com/v1beta',
    keyEnv: ['GOOGLE_GENERATIVE_AI_API_KEY', 'GEMINI_API_KEY'],
  },
  'openai-compatible': { api: 'openai-compatible', baseUrl: null, keyEnv: [] },
  simulator: { api: 'openai-compatible', baseUrl: SIMULATOR_URL, keyEnv: [] },
})

/** A target with everything filled in that reaching it needs, save the key itself. */
export interface Address {
  readonly provider: string
  /** As the provider knows it. */
  readonly model: string
  readonly api: ApiName
  /** Without a slash at the end. */
  readonly baseUrl: URL
  /** Variables that may hold the key, in order. */
  readonly keyEnv: readonly string[]
}

/** Resolves a target. Throws SluiceError `spec_invalid`: unknown provider, no or no usable base_url, a key where its variable's name belongs. */
export function resolveTarget(target: ModelTarget): Address {
  const slash = target.id.indexOf('/')
  const provider = target.id.slice(0, Math.max(slash, 0))
  const model = target.id.slice(slash + 1)
  const kind = Object.hasOwn(PROVIDERS, provider) ? PROVIDERS[provider] : undefined
  if (kind === undefined || model === '') {
    throw new SluiceError('spec_invalid', `model.id '${target.id}' names no provider that sluice knows`, {
      hint: `Write provider/model, with one of: ${Object.keys(PROVIDERS).join(', ')}.`,
    })
  }
  const api = kind.api === 'by model' ? openaiApi(model) : kind.api
  const baseUrl = parseBaseUrl(target.baseUrl ?? kind.baseUrl, provider)
  return {
    provider,
    model,
    api,
    baseUrl,
    keyEnv: target.apiKeyEnv === null ? kind.keyEnv : [keyName(target.apiKeyEnv)],
  }
}

/**
 * Chat completions wherever a model has them: nothing is stored at OpenAI, and the bodies are those of its batches. The
 * responses API for the models that have no other (@ai-sdk/openai's catalogue: pro, codex, deep research, computer use).
 */
function openaiApi(model: string): ApiName {
  return /-pro\b|codex|deep-research|computer-use/.test(model) ? 'openai-responses' : 'openai-chat'
}

function parseBaseUrl(text: string | null, provider: string): URL {
  const url = text === null ? null : URL.parse(text)
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new SluiceError(
      'spec_invalid',
      text === null ? `${provider} needs model.base_url` : 'model.base_url is no http(s) address',
      {
        hint: 'For example base_url: http://localhost:8000/v1',
      },
    )
  }
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw new SluiceError('spec_invalid', 'model.base_url holds more than an address: a user, a password or a query', {
      hint: 'Give the address only; the key goes into the variable that model.api_key_env names.',
    })
  }
  return url
}

/** The name of a variable; a key in its place is refused without being repeated. */
function keyName(text: string): string {
  const looksLikeKey = /^(?:sk|pk|rk|gsk|xai|pplx|csk|hf|r8|nvapi|key)[-_][\w-]{12,}$|^AIza/i.test(text)
  if (!looksLikeKey && /^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(text)) return text
  throw new SluiceError(
    'spec_invalid',
    'model.api_key_env holds something that is no name of a variable; if it is a key, change that key',
    {
      hint: 'Put the key into an environment variable and write its NAME here, for example OPENAI_API_KEY.',
    },
  )
}

/** The key of an address, read with `env`; `null` where none is needed. Throws SluiceError `credentials_missing`, naming the variable. */
export function readKey(address: Address, env: (name: string) => string | undefined, named: boolean): string | null {
  for (const name of address.keyEnv) {
    const value = env(name)?.trim()
    if (value !== undefined && value !== '') return value
  }
  const [first] = address.keyEnv
  if (first === undefined) return null
  const others = address.keyEnv.slice(1).map((name) => ` or ${name}`)
  throw new SluiceError(
    'credentials_missing',
    `the key of ${address.provider} is not set: ${first}${others.join('')} is empty`,
    {
      hint: named
        ? `Set ${first}, which model.api_key_env names.`
        : `Set ${first}, or name another variable in model.api_key_env.`,
    },
  )
}

/** Whether an address is on this machine: only there may our own headers go. */
export function isLoopback(url: URL): boolean {
  return url.origin === new URL(SIMULATOR_URL).origin || /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(url.hostname)
}

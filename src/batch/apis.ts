import type { BatchKind } from '../domain/batch.ts'
import { SluiceError } from '../errors.ts'
import { apiOf } from '../provider/api.ts'
import { type BatchProtocol, batchProtocol } from '../provider/batch-kind.ts'
import { givingUpInSilence, type Http, httpOver } from '../provider/http.ts'
import { type Address, readKey, resolveTarget } from '../provider/target.ts'
import type { FetchLike } from '../provider/wire.ts'
import type { Runtime } from '../runtime.ts'
import { openAnthropicBatches } from './anthropic.ts'
import { createApiCall } from './api-call.ts'
import type { ApiSetting } from './api-setting.ts'
import type { BatchApi, BatchApis } from './batch-api.ts'
import { openGoogleBatches } from './google.ts'
import { openMistralBatches } from './mistral.ts'
import { openOpenAiBatches } from './openai.ts'

export interface BatchApisOptions {
  /** Reads one variable of the environment. */
  readonly env: (name: string) => string | undefined
  readonly runtime: Runtime
  readonly http: Http
  /** Answers for `simulator/<name>` in this process. */
  readonly simulator?: { readonly fetch: FetchLike }
  /** How long nothing may move on a connection, in ms; default 2 minutes. */
  readonly silenceMs?: number
}

const OPEN: Readonly<Record<BatchProtocol, (setting: ApiSetting) => BatchApi>> = {
  openai: openOpenAiBatches,
  anthropic: openAnthropicBatches,
  google: openGoogleBatches,
  mistral: openMistralBatches,
}

/** How each protocol is told who asks, and in which version of its language. */
const HEADERS: Readonly<Record<BatchProtocol, (key: string) => Readonly<Record<string, string>>>> = {
  openai: (key) => ({ authorization: `Bearer ${key}` }),
  mistral: (key) => ({ authorization: `Bearer ${key}` }),
  anthropic: (key) => ({ 'x-api-key': key, 'anthropic-version': '2023-06-01' }),
  google: (key) => ({ 'x-goog-api-key': key }),
}

/** The batch APIs that this process can reach, over the same sockets and with the same keys as the live lane. */
export function createBatchApis(options: BatchApisOptions): BatchApis {
  const { env, runtime, simulator, silenceMs = 120_000 } = options

  const httpFor = (address: Address, baseUrl: string | null): Http => {
    if (address.provider !== 'simulator' || baseUrl !== null) return options.http
    if (simulator !== undefined) return httpOver(simulator.fetch)
    throw new SluiceError('spec_invalid', 'there is no simulator in this process', {
      hint: 'Start one with `sluice simulate` and give its address as model.base_url.',
    })
  }

  return Object.freeze({
    open({ target, url, headers }: Pick<BatchKind, 'target' | 'url' | 'headers'>): BatchApi {
      const address = resolveTarget({ ...target, params: {} })
      const protocol = batchProtocol(address)
      if (protocol === null) {
        throw new SluiceError('spec_invalid', `${target.id} has no batch API that sluice knows`, {
          hint: 'Write execution.lane: live, or choose another model.',
        })
      }
      const key = readKey(address, env, target.apiKeyEnv !== null)
      const call = createApiCall({
        http: givingUpInSilence(httpFor(address, target.baseUrl), runtime, silenceMs),
        headers: { ...(key === null ? {} : HEADERS[protocol](key)), ...headers },
        rules: apiOf(address).rules,
        key,
        nowMs: runtime.now,
      })
      const base = address.baseUrl.href.replace(/\/+$/, '')
      return OPEN[protocol]({ call, base, kind: { url }, model: address.model })
    },
  })
}

/** A JSON Schema document. */
export type JsonSchema = { readonly [key: string]: unknown } | boolean

export interface ModelParams {
  readonly temperature?: number
  readonly top_p?: number
  readonly max_output_tokens?: number
  readonly seed?: number
  readonly stop?: readonly string[]
  readonly reasoning_effort?: 'none' | 'minimal' | 'low' | 'medium' | 'high' | 'xhigh'
}

/** Which model to ask, and how to reach it. No key is in here: only the name of the variable that holds it. */
export interface ModelTarget {
  /** `provider/model`. */
  readonly id: string
  readonly baseUrl: string | null
  readonly apiKeyEnv: string | null
  readonly params: ModelParams
}

export interface Message {
  readonly role: 'user' | 'assistant'
  readonly text: string
}

/** Our own normalised request: what a provider is asked, before any provider's encoding. Its hash is the key for reuse. */
export interface ModelRequest {
  readonly target: ModelTarget
  readonly system: string | null
  readonly messages: readonly Message[]
  /** The user's schema; `null` for plain text. Tightened per provider at the boundary, never here. */
  readonly schema: JsonSchema | null
}

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

/** How much of the output schema a server takes: it as such, only that JSON is wanted, or nothing but words. */
export type SchemaLevel = 'schema' | 'json' | 'words'

export interface Message {
  readonly role: 'user' | 'assistant'
  readonly text: string
}

/** What of a request is the same for every row of its job, from the start on: for providers' caches of prompts. */
export interface FixedPart {
  /** The system prompt is; else nothing is. */
  readonly system: boolean
  /** How many characters of the first message are. */
  readonly userChars: number
  /** Bytes of both together. */
  readonly bytes: number
}

/** Our own normalised request: what a provider is asked, before any provider's encoding. Its hash is the key for reuse. */
export interface ModelRequest {
  readonly target: ModelTarget
  readonly system: string | null
  readonly messages: readonly Message[]
  /** The user's schema; `null` for plain text. Tightened per provider at the boundary, never here. */
  readonly schema: JsonSchema | null
  /** A hint, and no part of the hash; absent: nothing is known to be fixed. */
  readonly fixed?: FixedPart
}

/** Bytes of which a provider may make one token; texts of most scripts take more. */
const DENSE_BYTES_PER_TOKEN = 3

/** Whether the fixed part of the request may come to so many tokens. */
export function mayHaveFixed({ fixed }: ModelRequest, tokens: number): boolean {
  return fixed !== undefined && fixed.bytes >= tokens * DENSE_BYTES_PER_TOKEN
}

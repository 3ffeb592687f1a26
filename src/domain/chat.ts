import type { JsonSchema, Message, ModelParams } from './request.ts'
import type { Value } from './row.ts'

/** Which of OpenAI's requests a body is: `/v1/chat/completions` or `/v1/responses`. */
export type ChatKind = 'chat_completions' | 'responses'

/** What the body of such a request asks for, in our own words. */
export interface ChatParts {
  /** As the caller names it. */
  readonly model: string
  readonly system: string | null
  /** At least one; the last is the user's. */
  readonly messages: readonly Message[]
  readonly params: ModelParams
  /** `null`: plain text is wanted. */
  readonly schema: JsonSchema | null
}

/** What is wrong with a request, in the form of OpenAI's errors. `message` quotes nothing of its contents. */
export interface ChatFault {
  readonly code: string
  readonly message: string
  /** The part of the body: `messages[0].content`. */
  readonly param: string | null
}

/** A body as it was understood. */
export type ChatReading =
  | { readonly ok: true; readonly parts: ChatParts }
  | { readonly ok: false; readonly fault: ChatFault }

/** Reads the body of a request. */
export type ReadChat = (kind: ChatKind, body: Value) => ChatReading

/** The column of a job's input that holds the body of a whole request. */
export const BODY_COLUMN = 'body'

/** What an answer to such a request is kept as: the output columns of its job. */
export const CHAT_COLUMNS = Object.freeze(['answer', 'finish_reason', 'refusal'] as const)

/** The values of these columns. `answer` is `null` where the model declined; then `refusal` holds what it said. */
export interface ChatAnswer {
  readonly answer: string | null
  readonly finish_reason: 'stop' | 'length' | 'content_filter'
  readonly refusal: string | null
}

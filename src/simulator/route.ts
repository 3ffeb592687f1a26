import { anthropicMessages } from './anthropic-messages.ts'
import type { Shape } from './ask.ts'
import { gemini } from './gemini.ts'
import { openAiChat } from './openai-chat.ts'
import { openAiResponses } from './openai-responses.ts'

/** Where a request is meant for. */
export type Route =
  | { readonly kind: 'generate'; readonly shape: Shape }
  | { readonly kind: 'list'; readonly shape: Shape; readonly body: string }
  | { readonly kind: 'unknown'; readonly shape: Shape }

const CHAT: Route = Object.freeze({ kind: 'generate', shape: openAiChat })
const RESPONSES: Route = Object.freeze({ kind: 'generate', shape: openAiResponses })
const MESSAGES: Route = Object.freeze({ kind: 'generate', shape: anthropicMessages })
const GEMINI: Route = Object.freeze({ kind: 'generate', shape: gemini })
const UNKNOWN: Route = Object.freeze({ kind: 'unknown', shape: openAiChat })
/** Any model is answered for; the list names one, so that clients which ask for it find something. */
const MODELS: Route = Object.freeze({
  kind: 'list',
  shape: openAiChat,
  body: JSON.stringify({
    object: 'list',
    data: [{ id: 'simulated', object: 'model', created: 0, owned_by: 'sluice' }],
  }),
})

/** The provider's endpoint that a method and path belong to, by the path's end: a base URL may put anything before it. */
export function routeOf(method: string, path: string): Route {
  const bare = pathOnly(path)
  if (method === 'GET' && bare.endsWith('/models')) return MODELS
  if (method !== 'POST') return UNKNOWN
  if (bare.endsWith('/chat/completions')) return CHAT
  if (bare.endsWith('/responses')) return RESPONSES
  if (bare.endsWith('/messages')) return MESSAGES
  return bare.endsWith(':generateContent') ? GEMINI : UNKNOWN
}

/** A path without its query. */
export function pathOnly(path: string): string {
  const query = path.indexOf('?')
  return query < 0 ? path : path.slice(0, query)
}

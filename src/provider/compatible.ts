import { OPENAI_CODES } from './openai.ts'
import { BY_STATUS, type Rule } from './rule.ts'

/**
 * Servers that speak OpenAI's chat API, each with words of its own: vLLM, llama.cpp, Ollama, OpenRouter, Groq, Mistral,
 * DeepSeek, Perplexity, Together, Azure, Bedrock, Gemini's own OpenAI endpoint.
 */
export const COMPATIBLE_RULES: readonly Rule[] = [
  // Groq: what the model wrote did not pass the server's own check of the schema; asked again, it may.
  { code: ['json_validate_failed'], cause: 'invalid_json' },
  { code: ['tool_use_failed'], cause: 'schema_invalid' },
  // llama.cpp, Perplexity, Bedrock, Ollama, TGI.
  { code: ['exceed_context_size_error', 'too_many_prompt_tokens'], cause: 'context_too_long', retryable: false },
  {
    status: [400, 413, 422, 500],
    says: /input tokens exceeded|exceeds? (?:the )?(?:available context|maximum (?:length|number of tokens))|prompt (?:is )?too long|inputs? tokens \+/i,
    cause: 'context_too_long',
    retryable: false,
  },
  { code: ['unavailable_error'], cause: 'overloaded' },
  // Mistral: the shared capacity of a model, not the account's own limit.
  {
    status: [429, 500, 502, 503],
    says: /capacity exceeded|no capacity|(?:model|engine|server) is (?:currently )?overloaded|loading model/i,
    cause: 'overloaded',
  },
  // Gemini through its OpenAI endpoint: “exceeded your current quota” is a limit per minute there too (google.ts).
  { status: [429], code: /perday/, cause: 'quota_exhausted' },
  { status: [429], code: ['resource_exhausted'], says: /\blimit: 0\b|per day/i, cause: 'quota_exhausted' },
  { status: [429], code: ['resource_exhausted'], cause: 'rate_limited' },
  // Gemini, Bedrock, OpenRouter.
  {
    status: [400, 401, 403, 404],
    says: /api key not valid|model identifier is invalid|not a valid model id/i,
    cause: 'credentials',
  },
  { code: ['api_key_invalid', 'invalid_api_key'], cause: 'credentials' },
  { status: [403], says: /moderation|flagged/i, cause: 'content_filtered', retryable: false },
  { status: [400, 404], says: /model\b.{0,120}\b(?:not found|does not exist)/i, cause: 'credentials' },
  ...OPENAI_CODES,
  ...BY_STATUS,
]

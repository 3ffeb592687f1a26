/**
 * Replies that no recording holds, as the servers' sources and docs have them. `-` before a cause: the same request can never succeed.
 */
export const REFUSALS: readonly (readonly [what: string, api: string, status: number, body: unknown, cause: string])[] =
  [
    ['a proxy’s web page', 'openai-chat', 502, '<html><head><title>502 Bad Gateway</title>', 'provider_error'],
    ['a web page with a good status', 'openai-chat', 200, '<!DOCTYPE html><title>Sign in</title>', 'provider_error'],
    ['nothing, with a good status', 'anthropic', 200, '', 'provider_error'],
    ['nothing, with a bad one', 'google', 500, '', 'provider_error'],
    ['half of an answer', 'openai-chat', 200, '{"id":"chatcmpl-1","choices":[{"ind', 'provider_error'],
    ['an event stream', 'openai-chat', 200, 'data: {"id":"1"}\n\ndata: [DONE]\n', '-provider_error'],
    ['a JSON that is no answer', 'openai-compatible', 200, { status: 'up' }, '-provider_error'],
    ['a conflict', 'openai-chat', 409, error('conflict'), 'provider_error'],
    ['a teapot', 'openai-chat', 418, 'short and stout', '-provider_error'],
    ['Cloudflare, too slow', 'openai-compatible', 524, '<html><title>524: A timeout occurred</title>', 'timeout'],

    ['OpenRouter’s error inside a 200', 'openai-compatible', 200, error('upstream', { code: 502 }), 'provider_error'],
    ['OpenRouter’s error inside a choice', 'openai-compatible', 200, errorInChoice(429, 'slow down'), 'rate_limited'],
    ['OpenRouter without credit', 'openai-compatible', 402, error('Insufficient credits'), 'quota_exhausted'],
    ['OpenRouter’s moderation', 'openai-compatible', 403, error('Your input was flagged'), '-content_filtered'],
    [
      'vLLM, too long',
      'openai-compatible',
      400,
      vllm("This model's maximum context length is 4096"),
      '-context_too_long',
    ],
    ['vLLM, no such model', 'openai-compatible', 404, vllm('The model `x` does not exist.'), 'credentials'],
    [
      'llama.cpp, too long',
      'openai-compatible',
      400,
      error('', { type: 'exceed_context_size_error' }),
      '-context_too_long',
    ],
    ['llama.cpp, loading', 'openai-compatible', 503, error('Loading model', { code: 503 }), 'overloaded'],
    [
      'Ollama, no such model',
      'openai-compatible',
      404,
      { error: 'model "x" not found, try pulling it' },
      'credentials',
    ],
    [
      'FastAPI, a bad field',
      'openai-compatible',
      422,
      { detail: [{ msg: 'should be less than 1' }] },
      '-provider_error',
    ],
    [
      'Groq, larger than the limit',
      'openai-compatible',
      413,
      error('Request too large for model'),
      '-context_too_long',
    ],
    ['Groq, JSON that is none', 'openai-compatible', 400, error('', { code: 'json_validate_failed' }), 'invalid_json'],
    ['Mistral’s capacity', 'openai-compatible', 429, { message: 'Service tier capacity exceeded' }, 'overloaded'],
    ['Mistral, slow down', 'openai-compatible', 429, { message: 'Requests rate limit exceeded' }, 'rate_limited'],
    ['DeepSeek without credit', 'openai-compatible', 402, error('Insufficient Balance'), 'quota_exhausted'],
    ['Gemini’s minute, by OpenAI', 'openai-compatible', 429, [geminiQuota('RequestsPerMinute')], 'rate_limited'],
    ['Gemini’s day, by OpenAI', 'openai-compatible', 429, [geminiQuota('RequestsPerDay')], 'quota_exhausted'],
    ['Gemini as a list', 'openai-compatible', 429, [gemini('RESOURCE_EXHAUSTED', 'slow')], 'rate_limited'],

    ['OpenAI, closed account', 'openai-chat', 429, error('', { code: 'billing_not_active' }), 'quota_exhausted'],
    [
      'OpenAI, overloaded',
      'openai-chat',
      503,
      error('The engine is overloaded', { type: 'server_error' }),
      'overloaded',
    ],
    ['OpenAI, flagged', 'openai-responses', 400, error('', { code: 'invalid_prompt' }), '-content_filtered'],
    ['OpenAI, country', 'openai-chat', 403, error('', { code: 'unsupported_country_region_territory' }), 'credentials'],
    ['a response that failed', 'openai-responses', 200, failedResponse('server_error'), 'provider_error'],
    ['a response that was limited', 'openai-responses', 200, failedResponse('rate_limit_exceeded'), 'rate_limited'],

    ['Anthropic without credit', 'anthropic', 400, anthropic('Your credit balance is too low'), 'quota_exhausted'],
    [
      'Anthropic’s spend limit',
      'anthropic',
      400,
      anthropic('You have reached your specified API usage limits.'),
      'quota_exhausted',
    ],
    [
      'Anthropic, both too long',
      'anthropic',
      400,
      anthropic('input length and `max_tokens` exceed context limit'),
      '-context_too_long',
    ],
    ['Anthropic, over 32 MB', 'anthropic', 413, anthropic('too big', 'request_too_large'), '-context_too_long'],
    ['Anthropic, too slow', 'anthropic', 504, anthropic('Request timed out', 'timeout_error'), 'timeout'],
    [
      'Anthropic’s output filter',
      'anthropic',
      400,
      anthropic('Output blocked by content filtering policy'),
      '-content_filtered',
    ],

    ['Gemini, per minute', 'google', 429, geminiQuota('GenerateRequestsPerMinutePerProject'), 'rate_limited'],
    ['Gemini, per day', 'google', 429, geminiQuota('GenerateRequestsPerDayPerProject'), 'quota_exhausted'],
    [
      'Gemini, no allowance',
      'google',
      429,
      gemini('RESOURCE_EXHAUSTED', 'Quota exceeded, limit: 0'),
      'quota_exhausted',
    ],
    [
      'Gemini, too long',
      'google',
      400,
      gemini('INVALID_ARGUMENT', 'The input token count (9) exceeds the maximum'),
      '-context_too_long',
    ],
    ['Gemini, overloaded', 'google', 503, gemini('UNAVAILABLE', 'The model is overloaded.'), 'overloaded'],
    ['Gemini, too slow', 'google', 504, gemini('DEADLINE_EXCEEDED', 'Deadline expired'), 'timeout'],
    ['Gemini, country', 'google', 400, gemini('FAILED_PRECONDITION', 'User location is not supported'), 'credentials'],
  ]

function error(message: string, more: Readonly<Record<string, unknown>> = {}) {
  return { error: { message, ...more } }
}

function errorInChoice(code: number, message: string) {
  const empty = { role: 'assistant', content: '' }
  return { choices: [{ index: 0, finish_reason: 'error', error: { code, message }, message: empty }] }
}

function vllm(message: string) {
  return { object: 'error', message, type: 'BadRequestError', param: null, code: 400 }
}

function failedResponse(code: string) {
  return { id: 'r', created_at: 1, status: 'failed', model: 'm', output: [], error: { code, message: 'it failed' } }
}

function anthropic(message: string, type = 'invalid_request_error') {
  return { type: 'error', error: { type, message } }
}

function gemini(status: string, message: string, details: readonly unknown[] = []) {
  return { error: { code: 400, status, message, details } }
}

function geminiQuota(quotaId: string) {
  const failure = { '@type': 'type.googleapis.com/google.rpc.QuotaFailure', violations: [{ quotaId }] }
  return gemini('RESOURCE_EXHAUSTED', 'You exceeded your current quota, please check your plan and billing details.', [
    failure,
  ])
}

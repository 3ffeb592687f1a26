import type { ChatParts } from '../domain/chat.ts'
import type { ModelParams } from '../domain/request.ts'
import type { Value } from '../domain/row.ts'
import {
  type Allowed,
  effortOf,
  type Fields,
  isFields,
  modelOf,
  numberIn,
  type Report,
  refuseOthers,
  samplingOf,
} from './body-reader.ts'
import { contentText, conversation, roleOf, type Turn, turnsIn } from './content-text.ts'
import { formatSchema } from './format-schema.ts'

const KNOWN = [
  'model',
  'messages',
  'max_tokens',
  'max_completion_tokens',
  'temperature',
  'top_p',
  'seed',
  'stop',
  'reasoning_effort',
  'response_format',
]

const whatever: Allowed = () => true
const off: Allowed = (value) => value === false

/** What changes no answer, or is what happens anyway. */
const HARMLESS: Readonly<Record<string, Allowed>> = Object.freeze({
  stream: off,
  n: (value) => value === 1,
  logprobs: off,
  top_logprobs: (value) => value === 0,
  presence_penalty: (value) => value === 0,
  frequency_penalty: (value) => value === 0,
  logit_bias: (value) => isFields(value) && Object.keys(value).length === 0,
  modalities: (value) => Array.isArray(value) && value.every((one) => one === 'text'),
  tool_choice: (value) => value === 'none' || value === 'auto',
  function_call: (value) => value === 'none' || value === 'auto',
  parallel_tool_calls: whatever,
  verbosity: (value) => value === 'medium',
  user: whatever,
  safety_identifier: whatever,
  prompt_cache_key: whatever,
  prompt_cache_options: whatever,
  prompt_cache_retention: whatever,
  service_tier: whatever,
  metadata: whatever,
  store: whatever,
})

const STOPS_MOST = 4

/** What a body of `/v1/chat/completions` asks for. Whatever it asks for that sluice cannot do is reported, and never ignored. */
export function readChatCompletions(body: Fields, report: Report): ChatParts {
  const model = modelOf(body, report)
  if (body.stream === true) report('invalid_value', "'stream' must not be true in a batch.", 'stream')
  const { system, messages } = conversation(turnsOf(body.messages, report), null, 'messages', report)
  const params = paramsOf(body, report)
  const schema = formatSchema(
    body.response_format,
    'response_format',
    (format) => ({ holder: format.json_schema, at: 'response_format.json_schema' }),
    report,
  )
  refuseOthers(body, { known: KNOWN, harmless: HARMLESS }, report)
  return { model, system, messages, params, schema }
}

function turnsOf(messages: Value | undefined, report: Report): readonly Turn[] {
  const list = { param: 'messages', expected: 'a list that is not empty' }
  return turnsIn(messages, list, (message, param) => turnOf(message, param, report), report)
}

function turnOf(message: Fields, param: string, report: Report): Turn | null {
  const role = roleOf(message, param, report)
  refuseOthers(message, { known: ['role', 'content', 'refusal'], harmless: { name: whatever }, at: param }, report)
  if (role === null) return null
  const refusal = role === 'assistant' && typeof message.refusal === 'string' ? message.refusal : null
  if (refusal !== null && (message.content === undefined || message.content === null)) return { role, text: refusal }
  const types = role === 'assistant' ? ['text', 'refusal'] : ['text']
  return { role, text: contentText(message.content, `${param}.content`, types, report) }
}

function paramsOf(body: Fields, report: Report): ModelParams {
  const tokens = { least: 1, most: Number.MAX_SAFE_INTEGER, whole: true }
  const older = numberIn(body, 'max_tokens', tokens, report)
  const most = numberIn(body, 'max_completion_tokens', tokens, report) ?? older
  const seed = numberIn(
    body,
    'seed',
    { least: Number.MIN_SAFE_INTEGER, most: Number.MAX_SAFE_INTEGER, whole: true },
    report,
  )
  const stop = stopOf(body.stop, report)
  const effort = effortOf(body.reasoning_effort, 'reasoning_effort', report)
  return {
    ...samplingOf(body, report),
    ...(most !== null && { max_output_tokens: most }),
    ...(seed !== null && { seed }),
    ...(stop !== null && { stop }),
    ...(effort !== null && { reasoning_effort: effort }),
  }
}

function stopOf(value: Value | undefined, report: Report): readonly string[] | null {
  if (value === undefined || value === null) return null
  const list: readonly Value[] = Array.isArray(value) ? value : [value]
  if (list.length <= STOPS_MOST && list.every((one) => typeof one === 'string' && one !== '')) {
    return list.length === 0 ? null : (list as readonly string[])
  }
  report('invalid_type', `Invalid type for 'stop': expected a string, or up to ${STOPS_MOST} of them.`, 'stop')
  return null
}

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

const KNOWN = ['model', 'input', 'instructions', 'max_output_tokens', 'temperature', 'top_p', 'reasoning', 'text']

const whatever: Allowed = () => true
const off: Allowed = (value) => value === false

/** What changes no answer, or is what happens anyway. */
const HARMLESS: Readonly<Record<string, Allowed>> = Object.freeze({
  stream: off,
  background: off,
  truncation: (value) => value === 'disabled',
  tool_choice: (value) => value === 'none' || value === 'auto',
  parallel_tool_calls: whatever,
  max_tool_calls: whatever,
  top_logprobs: (value) => value === 0,
  user: whatever,
  safety_identifier: whatever,
  prompt_cache_key: whatever,
  prompt_cache_options: whatever,
  prompt_cache_retention: whatever,
  service_tier: whatever,
  metadata: whatever,
  store: whatever,
})

/** What a body of `/v1/responses` asks for. Whatever it asks for that sluice cannot do is reported, and never ignored. */
export function readResponses(body: Fields, report: Report): ChatParts {
  const model = modelOf(body, report)
  if (body.stream === true) report('invalid_value', "'stream' must not be true in a batch.", 'stream')
  const { system, messages } = conversation(turnsOf(body.input, report), instructionsOf(body, report), 'input', report)
  const params = paramsOf(body, report)
  const schema = textSchema(body.text, report)
  refuseOthers(body, { known: KNOWN, harmless: HARMLESS }, report)
  return { model, system, messages, params, schema }
}

function instructionsOf({ instructions }: Fields, report: Report): string | null {
  if (instructions === undefined || instructions === null || instructions === '') return null
  if (typeof instructions === 'string') return instructions
  report('invalid_type', "Invalid type for 'instructions': expected a string.", 'instructions')
  return null
}

function turnsOf(input: Value | undefined, report: Report): readonly Turn[] {
  if (typeof input === 'string') return [{ role: 'user', text: input }]
  const list = { param: 'input', expected: 'a string, or a list that is not empty' }
  return turnsIn(input, list, (item, param) => turnOf(item, param, report), report)
}

function turnOf(item: Fields, param: string, report: Report): Turn | null {
  if (item.type !== undefined && item.type !== 'message') {
    report('unsupported_content', `'${param}' is no message: this server takes messages only.`, `${param}.type`)
    return null
  }
  const role = roleOf(item, param, report)
  const harmless = { id: whatever, status: whatever, phase: whatever }
  refuseOthers(item, { known: ['type', 'role', 'content'], harmless, at: param }, report)
  if (role === null) return null
  const types = role === 'assistant' ? ['output_text', 'refusal'] : ['input_text']
  return { role, text: contentText(item.content, `${param}.content`, types, report) }
}

function paramsOf(body: Fields, report: Report): ModelParams {
  const bounds = { least: 1, most: Number.MAX_SAFE_INTEGER, whole: true }
  const most = numberIn(body, 'max_output_tokens', bounds, report)
  const effort = reasoningOf(body.reasoning, report)
  return {
    ...samplingOf(body, report),
    ...(most !== null && { max_output_tokens: most }),
    ...(effort !== null && { reasoning_effort: effort }),
  }
}

function reasoningOf(reasoning: Value | undefined, report: Report): ReturnType<typeof effortOf> {
  if (reasoning === undefined || reasoning === null) return null
  if (!isFields(reasoning)) {
    report('invalid_type', "Invalid type for 'reasoning': expected an object.", 'reasoning')
    return null
  }
  const harmless = { mode: (value: Value) => value === 'standard', context: (value: Value) => value === 'auto' }
  refuseOthers(reasoning, { known: ['effort'], harmless, at: 'reasoning' }, report)
  return effortOf(reasoning.effort, 'reasoning.effort', report)
}

function textSchema(text: Value | undefined, report: Report): ChatParts['schema'] {
  if (text === undefined || text === null) return null
  if (!isFields(text)) {
    report('invalid_type', "Invalid type for 'text': expected an object.", 'text')
    return null
  }
  const harmless = { verbosity: (value: Value) => value === 'medium' }
  refuseOthers(text, { known: ['format'], harmless, at: 'text' }, report)
  return formatSchema(text.format, 'text.format', (format) => ({ holder: format, at: 'text.format' }), report)
}

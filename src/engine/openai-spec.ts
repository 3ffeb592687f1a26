import { type KnownModel, NOTHING_ALLOWED } from '../domain/allowance.ts'
import { CHAT_COLUMNS, type ChatKind } from '../domain/chat.ts'
import type { Spec } from '../domain/spec.ts'
import { readForeignSpec } from '../spec/foreign.ts'
import { loaded } from '../spec/load.ts'
import { withKnownModel } from '../spec/resolve-model.ts'

/** What the jobs of OpenAI's batches are called. */
export const OPENAI_JOB_NAME = 'openai-batch'

/** The name that the input of such a job goes by. */
const INPUT_NAME = 'batch.jsonl'

/**
 * The spec of a batch's job: its rows are whole requests. It goes the cheapest way that its 24 hours leave, and asks each request anew: callers who ask the
 * same twice want two answers.
 */
export async function openAiSpec(kind: ChatKind, model: KnownModel): Promise<Spec> {
  const document = {
    version: 1,
    name: OPENAI_JOB_NAME,
    input: { source: INPUT_NAME, format: 'jsonl', key: 'custom_id' },
    model: { id: 'openai/any' },
    prompt: { user: '{{ body }}' },
    execution: { lane: 'auto', deadline: '24h', cache: 'off' },
  }
  const reading = await readForeignSpec(document, { allowance: NOTHING_ALLOWED, env: () => undefined, name: 'batch' })
  const { spec } = loaded(reading)
  return {
    ...withKnownModel(spec, model),
    prompt: { system: null, user: null, request: kind },
    output: { ...spec.output, columns: [...CHAT_COLUMNS] },
  }
}

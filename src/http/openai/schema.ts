import { type Static, type TSchema, Type } from 'typebox'
import { exactly, json, nullable, oneOfTexts, ref } from '../answer.ts'

/** OpenAI's objects, as this server gives them. Names and shapes are those of the `openai` package, 7.57. */

/** For how long callers may have files kept, seconds. */
export const EXPIRES_S = { minimum: 3_600, maximum: 2_592_000 } as const

const seconds = (description: string) => Type.Integer({ description: `${description} Unix time, seconds.` })

export const OPENAI_ERROR = exactly(
  {
    error: exactly({
      message: Type.String(),
      type: Type.String(),
      param: nullable(Type.String()),
      code: nullable(Type.String()),
    }),
  },
  { $id: 'OpenAiError', description: "An error, as OpenAI's clients know it." },
)

export const OPENAI_FILE = exactly(
  {
    id: Type.String(),
    object: Type.Literal('file'),
    bytes: Type.Integer(),
    created_at: seconds('When its upload began.'),
    expires_at: Type.Optional(seconds('When it is deleted.')),
    filename: Type.String(),
    purpose: oneOfTexts(['batch', 'batch_output']),
    status: Type.Literal('processed'),
    status_details: Type.Null(),
  },
  { $id: 'OpenAiFile', description: 'A file of a batch.' },
)

export const OPENAI_FILE_DELETED = exactly(
  { id: Type.String(), object: Type.Literal('file'), deleted: Type.Boolean() },
  { $id: 'OpenAiFileDeleted', description: 'A file that is gone.' },
)

const BATCH_ERROR = exactly({
  code: Type.String(),
  line: nullable(Type.Integer({ description: 'Of the input file, from 1.' })),
  message: Type.String(),
  param: nullable(Type.String()),
})

export const OPENAI_BATCH = exactly(
  {
    id: Type.String(),
    object: Type.Literal('batch'),
    endpoint: Type.String(),
    errors: nullable(exactly({ object: Type.Literal('list'), data: Type.Array(BATCH_ERROR) })),
    input_file_id: Type.String(),
    completion_window: Type.String(),
    model: Type.Optional(
      Type.String({ description: 'As its requests name it; absent where the first one names none.' }),
    ),
    status: oneOfTexts([
      'validating',
      'failed',
      'in_progress',
      'finalizing',
      'completed',
      'expired',
      'cancelling',
      'cancelled',
    ]),
    output_file_id: nullable(Type.String()),
    error_file_id: nullable(Type.String()),
    created_at: seconds('When it was made.'),
    in_progress_at: nullable(seconds('When its first request was asked.')),
    expires_at: seconds('When it is ended, done or not.'),
    finalizing_at: nullable(seconds('When its last request ended.')),
    completed_at: nullable(seconds('When its files were there.')),
    failed_at: nullable(seconds('When it failed.')),
    expired_at: nullable(seconds('When its time was over.')),
    cancelling_at: nullable(seconds('When somebody cancelled it.')),
    cancelled_at: nullable(seconds('When it was cancelled, and its files were there.')),
    request_counts: exactly({ total: Type.Integer(), completed: Type.Integer(), failed: Type.Integer() }),
    usage: exactly({
      input_tokens: Type.Integer(),
      input_tokens_details: exactly({ cached_tokens: Type.Integer() }),
      output_tokens: Type.Integer(),
      output_tokens_details: exactly({ reasoning_tokens: Type.Integer() }),
      total_tokens: Type.Integer(),
    }),
    metadata: nullable(Type.Record(Type.String(), Type.String())),
  },
  { $id: 'OpenAiBatch', description: 'A batch: inside, it is a job whose id ends like its own.' },
)

export const OPENAI_MODEL = exactly(
  {
    id: Type.String(),
    object: Type.Literal('model'),
    created: Type.Integer({ description: 'Always 0: nobody knows.' }),
    owned_by: Type.String({ description: 'The provider that is asked.' }),
  },
  { $id: 'OpenAiModel', description: 'A model that batches may name.' },
)

export type OpenAiFile = Static<typeof OPENAI_FILE>
export type OpenAiBatchObject = Static<typeof OPENAI_BATCH>
export type OpenAiModel = Static<typeof OPENAI_MODEL>

/** The schemas that routes refer to by name. */
export const OPENAI_SCHEMAS = [OPENAI_ERROR, OPENAI_FILE, OPENAI_FILE_DELETED, OPENAI_BATCH, OPENAI_MODEL] as const

/** A list of them. */
export function listOf<S extends TSchema & { readonly $id?: string }>(item: S) {
  return exactly({
    object: Type.Literal('list'),
    data: Type.Array(ref(item)),
    first_id: nullable(Type.String()),
    last_id: nullable(Type.String()),
    has_more: Type.Boolean(),
  })
}

/** An answer that is an error, for a route's `response`. */
export function openAiProblem(description: string) {
  return json(description, ref(OPENAI_ERROR))
}

/** Errors that every one of these routes may give. */
export const ALWAYS = {
  401: openAiProblem('It is not known who asks.'),
  403: openAiProblem('The key or token may not do that.'),
  429: openAiProblem('Too many requests.'),
}

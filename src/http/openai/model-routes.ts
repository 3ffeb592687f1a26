import { Type } from 'typebox'
import { type KnownModel, modelOf } from '../../domain/allowance.ts'
import { SluiceError } from '../../errors.ts'
import { exactly, json, ref } from '../answer.ts'
import type { App, HttpDeps } from '../http-deps.ts'
import { ALWAYS, OPENAI_MODEL, type OpenAiModel, openAiProblem } from './schema.ts'

/** Adds OpenAI's models: those that the operator has named. Others may be asked for by name where the server knows what they are. */
export function modelRoutes(app: App, { service: { allowance } }: HttpDeps): void {
  const errors = 'openai' as const
  app.get(
    '/v1/models',
    {
      config: { scope: 'read', errors },
      schema: {
        operationId: 'listOpenAiModels',
        summary: 'The models that the operator has named',
        tags: ['openai'],
        response: {
          ...ALWAYS,
          200: json('All of them.', exactly({ object: Type.Literal('list'), data: Type.Array(ref(OPENAI_MODEL)) })),
        },
      },
    },
    async () => ({
      object: 'list' as const,
      data: Object.entries(allowance.models).map(([name, model]) => modelJson(name, model)),
    }),
  )
  const find = (name: string): OpenAiModel => {
    const model = modelOf(name, allowance)
    if (model !== null) return modelJson(name, model)
    throw new SluiceError(
      'model_not_found',
      `the model ${JSON.stringify(name)} does not exist, or is not to be had here`,
    )
  }
  app.get(
    '/v1/models/:model',
    {
      config: { scope: 'read', errors },
      schema: {
        operationId: 'getOpenAiModel',
        summary: 'A model by its name',
        tags: ['openai'],
        params: exactly({ model: Type.String() }),
        response: {
          ...ALWAYS,
          200: json('The model.', ref(OPENAI_MODEL)),
          404: openAiProblem('There is no such model.'),
        },
      },
    },
    async ({ params }) => find(params.model),
  )
  // Some clients leave the slash in a name as it is.
  app.get(
    '/v1/models/*',
    { config: { scope: 'read', errors }, schema: { hide: true, params: exactly({ '*': Type.String() }) } },
    async ({ params }) => find(params['*']),
  )
}

function modelJson(name: string, { id }: KnownModel): OpenAiModel {
  return { id: name, object: 'model', created: 0, owned_by: id.split('/')[0] ?? id }
}

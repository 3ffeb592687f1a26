import swagger from '@fastify/swagger'
import type { FastifySchema, RouteOptions } from 'fastify'
import { problem } from './answer.ts'
import type { App, HttpDeps } from './http-deps.ts'
import { FINDING, PROBLEM } from './problem.ts'

/** Where the description of the API is. */
export const OPENAPI_PATH = '/api/v1/openapi.json'

/** Answers that every route of somebody known may give. */
const ALWAYS = {
  400: 'The request is not what the route takes.',
  401: 'It is not known who asks.',
  403: 'The key or token may not do that.',
  429: 'Too many requests.',
  503: 'The server has more to do than it can, or its store does not answer.',
}

/** And every one that takes a body. */
const WITH_BODY = { 413: 'The body is too large.', 415: 'The body is not of the type that the route takes.' }

/** Describes the routes that are added after this as OpenAPI 3.1, from the same schemas that check their requests. */
export async function addOpenApi(app: App, { version, config }: HttpDeps): Promise<void> {
  app.addSchema(FINDING)
  app.addSchema(PROBLEM)
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'sluice',
        version,
        summary: 'Batch processing of many rows with LLMs.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: config.publicUrl ?? '/' }],
      tags: TAGS,
      components: {
        securitySchemes: {
          bearer: {
            type: 'http',
            scheme: 'bearer',
            description: 'An API key (`slk_…`), or a JWT of the configured issuer.',
          },
        },
      },
      security: [{ bearer: [] }],
    },
    convertConstToEnum: false,
    refResolver: {
      buildLocalReference: ({ $id }, _base, _fragment, i) => (typeof $id === 'string' ? $id : `part-${i}`),
    },
    transform: ({ schema, url, route }) => ({ schema: described(schema, route), url }),
  })
  app.get(
    OPENAPI_PATH,
    {
      schema: {
        operationId: 'getOpenApi',
        summary: 'This description of the API',
        tags: ['operation'],
        response: { 200: { type: 'object', additionalProperties: true, description: 'OpenAPI 3.1.' } },
      },
    },
    async () => ({ ...app.swagger() }),
  )
}

const TAGS = [
  { name: 'jobs', description: 'Create jobs, start them, look at them, and change what runs.' },
  { name: 'input', description: "Upload a job's input." },
  { name: 'results', description: 'What came of the rows: as they finish, or as one file.' },
  { name: 'specs', description: 'Specs by name, with their versions.' },
  { name: 'plans', description: 'What a job would do and cost. Nothing is spent.' },
  { name: 'account', description: 'What was spent, and who did what.' },
  { name: 'openai', description: "OpenAI's files and batches, over any provider." },
  { name: 'operation', description: 'For whoever runs the server.' },
]

/** Adds to a route's description what its `config` says: who may call it, and the errors that any such route gives. */
function described(schema: FastifySchema | undefined, { config }: RouteOptions): FastifySchema {
  const open = config?.scope === undefined
  const own = { ...ALWAYS, ...(schema?.body !== undefined && WITH_BODY) }
  const problems = Object.entries(config?.errors === 'openai' || open ? {} : own)
  const errors = Object.fromEntries(problems.map(([status, description]) => [status, problem(description)]))
  const scoped = open ? { security: [] } : { security: [{ bearer: [] }], description: `Scope: \`${config?.scope}\`.` }
  return { ...scoped, ...schema, response: { ...errors, ...(schema?.response as object | undefined) } }
}

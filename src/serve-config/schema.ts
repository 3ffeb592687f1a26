import { type Static, Type } from 'typebox'
import { SCOPES } from '../domain/access.ts'
import { price } from '../spec/schema-model.ts'
import { block, count, duration, text } from '../spec/schema-part.ts'
import { SIZE_PATTERN } from './size.ts'

const address = (description: string) =>
  text(description, { pattern: '^https?://\\S+$', errorMessage: 'must be an address such as https://example.org' })

const variable = (description: string) =>
  text(description, { pattern: '^[A-Za-z_][A-Za-z0-9_]*$', errorMessage: 'must be the name of a variable' })

const size = (description: string, standard: string) =>
  Type.Union([Type.Integer({ minimum: 1 }), Type.String({ pattern: SIZE_PATTERN })], {
    description,
    default: standard,
    errorMessage: 'must be a size such as 500kB, 64MB or 5GB',
  })

const names = (description: string, item = Type.String({ minLength: 1 })) => Type.Array(item, { description })

const modelId = text('`provider/model`.', {
  pattern: '^[a-z][a-z0-9-]*/\\S+$',
  errorMessage: 'must be provider/model, such as openai/gpt-5-mini',
})

const defaultModel = block('Where a model is that is named without its provider. Without it such names are refused.', {
  provider: text('The provider, such as openai or openai-compatible.', {
    pattern: '^[a-z][a-z0-9-]*$',
    errorMessage: 'must be the name of a provider, such as openai',
  }),
  base_url: Type.Optional(address('Its address, where it is not the usual one.')),
  api_key_env: Type.Optional(variable('The variable that holds the key for it.')),
})

const models = Type.Record(
  Type.String({ minLength: 1 }),
  Type.Union(
    [
      modelId,
      block('A model with an address or a key of its own.', {
        id: modelId,
        base_url: Type.Optional(address('Its address.')),
        api_key_env: Type.Optional(variable('The variable that holds the key for it.')),
        price: Type.Optional(price),
      }),
    ],
    { errorMessage: 'must be provider/model, or a mapping with id, base_url, api_key_env and price' },
  ),
  {
    description:
      'Models by the names that callers know: `name: provider/model`, or a mapping of id, base_url, api_key_env and price (input, output, cached_input, cache_write: dollars per million tokens, for models that the table of prices does not know).',
  },
)

const allow = block(
  'What specs that come over the network may name; all else of the surroundings is out of their reach.',
  {
    env: Type.Optional(names('Variables that a spec may name, for `notify` or elsewhere.', variable('A variable.'))),
    base_urls: Type.Optional(names('Prefixes of further addresses of models.', address('An address.'))),
    key_envs: Type.Optional(names('Variables with keys that specs may name for them.', variable('A variable.'))),
    inputs: Type.Optional(names('Prefixes of object storage that may be read: s3://bucket/prefix/.')),
    writes: Type.Optional(names('Prefixes of object storage that results may be written to.')),
  },
)

const jwt = block('Tokens that are taken beside keys. Exactly one of secret_env and jwks_url.', {
  secret_env: Type.Optional(variable('The variable that holds the secret of HS256, 32 characters or more.')),
  jwks_url: Type.Optional(address('Where the public keys are (JWKS).')),
  issuer: Type.Optional(text('What `iss` must be.', { minLength: 1 })),
  audience: Type.Optional(text('What `aud` must hold.', { minLength: 1 })),
  tenant_claim: Type.Optional(text('The claim that names the tenant.', { minLength: 1, default: 'tenant' })),
  scope_claim: Type.Optional(text('The claim that lists scopes.', { minLength: 1, default: 'scope' })),
  default_scopes: Type.Optional(
    Type.Array(Type.Enum([...SCOPES]), {
      description: `What a token without that claim may do: ${SCOPES.join(', ')}. Default: nothing.`,
    }),
  ),
})

const limits = block('How much one caller may ask for.', {
  body: Type.Optional(size('A JSON body.', '2MB')),
  upload: Type.Optional(size('One input, or one file.', '5GB')),
  unpacked: Type.Optional(
    size('What one input may come to when it is unpacked, and its rows when they are written out.', '20GB'),
  ),
  template_chars: Type.Optional(count('Characters of one template.', 1, { default: 200_000 })),
  schema: Type.Optional(size('One output schema.', '256kB')),
  schema_depth: Type.Optional(count('How deep one output schema may nest.', 1, { default: 32 })),
  requests_per_minute: Type.Optional(count('Requests a minute of one key or token.', 1, { default: 1_200 })),
  streams_per_tenant: Type.Optional(count('Streams that one tenant may hold open.', 1, { default: 1_000 })),
  connections: Type.Optional(count('Connections that the server holds open.', 1, { default: 5_000 })),
  query: Type.Optional(duration('How long the store may take to answer a question.', '10s')),
  loop_delay: Type.Optional(duration('From which delay of the process requests are turned away with 503.', '2s')),
  memory: Type.Optional(size('From which memory of the process on.', '2GB')),
})

const work = Type.Union(
  [
    Type.Literal(false),
    block('How much this process works on jobs itself.', {
      chunks: Type.Optional(count('Chunks that it holds at the most.', 1, { default: 5 })),
      concurrency: Type.Optional(count('Rows in flight at the most, over all jobs. Default: as the jobs say.', 1)),
    }),
  ],
  {
    description: '`false`: this process leaves jobs to `sluice worker`.',
    errorMessage: 'must be false, or a mapping with chunks and concurrency',
  },
)

const telemetry = block('What operators see.', {
  row_lines: Type.Optional(
    Type.Boolean({ description: 'A line of the log for each attempt and each row; never contents.', default: false }),
  ),
  traces_url: Type.Optional(
    address('Where traces go, OTLP over HTTP: http://collector:4318/v1/traces. Default: nowhere.'),
  ),
  trace_share: Type.Optional(
    Type.Number({
      minimum: 0,
      maximum: 1,
      description: 'The share of chunks that is traced.',
      default: 0.01,
      errorMessage: 'must be a number from 0 to 1',
    }),
  ),
  metrics_token_env: Type.Optional(
    variable(
      'The variable with the token that `/metrics` asks for. Without it, it answers only on a loopback address.',
    ),
  ),
  tenants: Type.Optional(Type.Boolean({ description: 'Figures name tenants, too.', default: false })),
})

const hook = {
  webhook: text(`Where it is posted: an address, or \`\${OPENAI_HOOK_URL}\`, which is read when it is sent.`),
  secret_env: Type.Optional(variable('The variable with the secret that signs it: `whsec_…`.')),
}

const openAiNotify = block('Who hears when a batch of the OpenAI-compatible routes has ended, as of OpenAI.', {
  webhook: Type.Optional(hook.webhook),
  secret_env: hook.secret_env,
  tenants: Type.Optional(
    Type.Record(Type.String({ minLength: 1 }), block('Who hears of the batches of one tenant.', hook), {
      description:
        'Tenants by name, with a webhook and secret_env of their own; the address above hears of all others.',
    }),
  ),
})

/** The configuration of `sluice serve`, as it stands in its file. */
export const SERVE_SCHEMA = block('The configuration of `sluice serve`.', {
  host: Type.Optional(text('The address to listen on.', { minLength: 1, default: '127.0.0.1' })),
  port: Type.Optional(count('The port to listen on; 0: any free one.', 0, { maximum: 65_535, default: 4777 })),
  public_url: Type.Optional(address('What callers reach the server by, where that is another address.')),
  default_model: Type.Optional(defaultModel),
  models: Type.Optional(models),
  allow: Type.Optional(allow),
  jwt: Type.Optional(jwt),
  openai_notify: Type.Optional(openAiNotify),
  limits: Type.Optional(limits),
  work: Type.Optional(work),
  drain: Type.Optional(duration('How long what is under way may take to end when the server is told to stop.', '30s')),
  telemetry: Type.Optional(telemetry),
})

export type ServeFile = Static<typeof SERVE_SCHEMA>

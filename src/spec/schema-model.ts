import { Type } from 'typebox'
import { CAUSES } from '../domain/failure.ts'
import { block, count, money, share, text } from './schema-part.ts'

const modelId = text(
  '`provider/model`: openai, anthropic, google, openai-compatible or simulator, and the name that the provider gives the model.',
  {
    pattern: '^[a-z][a-z0-9-]*/\\S+$',
    errorMessage: 'must be provider/model, such as openai/gpt-5-mini',
  },
)

const params = block('How the model is asked. What is left out is left to the provider.', {
  temperature: Type.Optional(
    Type.Number({
      minimum: 0,
      maximum: 2,
      description: 'From 0 (steady) to 2 (varied).',
      errorMessage: 'must be a number from 0 to 2',
    }),
  ),
  top_p: Type.Optional(
    Type.Number({
      minimum: 0,
      maximum: 1,
      description: 'The share of likely words to draw from.',
      errorMessage: 'must be a number from 0 to 1',
    }),
  ),
  max_output_tokens: Type.Optional(count('The most tokens of one answer.', 1)),
  seed: Type.Optional(
    Type.Integer({ description: 'For providers that can repeat an answer.', errorMessage: 'must be a whole number' }),
  ),
  stop: Type.Optional(
    Type.Array(Type.String({ minLength: 1 }), { maxItems: 16, description: 'Texts that end an answer.' }),
  ),
  reasoning_effort: Type.Optional(
    Type.Enum(['none', 'minimal', 'low', 'medium', 'high', 'xhigh'], {
      description: 'How much a reasoning model thinks first.',
    }),
  ),
})

/** What a model costs. */
export const price = block('US dollars per million tokens, where the table of prices does not know the model.', {
  input: money('For input.'),
  output: money('For output.'),
  cached_input: Type.Optional(money('For input that the provider had cached. Default: as input.')),
  cache_write: Type.Optional(money('For input that the provider keeps for later requests. Default: as input.')),
})

const baseUrl = text(
  'Where the provider is reached. Required for openai-compatible (vLLM, llama.cpp, Ollama, OpenRouter, Groq, …).',
  {
    pattern: '^https?://\\S+$',
    errorMessage: 'must be an address such as http://localhost:8000/v1',
  },
)

const apiKeyEnv = text(
  "The NAME of the variable that holds the key; a key itself is refused. Default: the provider's usual one.",
  {
    pattern: '^[A-Za-z_][A-Za-z0-9_]*$',
    errorMessage: 'must be the name of a variable, such as OPENAI_API_KEY',
  },
)

/** The block `model` of a spec file. */
export const modelBlock = block('Which model is asked, and how.', {
  id: modelId,
  base_url: Type.Optional(baseUrl),
  api_key_env: Type.Optional(apiKeyEnv),
  params: Type.Optional(params),
  price: Type.Optional(price),
  fallback: Type.Optional(
    Type.Array(
      block('A model that takes the rows that the one before could not do.', {
        id: modelId,
        when: Type.Array(Type.Enum([...CAUSES]), {
          minItems: 1,
          description: 'The causes of failure that send a row to it.',
        }),
        max_share: Type.Optional(share("The most of the job's rows that may go to it: 5%. Default: all.")),
        base_url: Type.Optional(baseUrl),
        api_key_env: Type.Optional(apiKeyEnv),
        params: Type.Optional(params),
        price: Type.Optional(price),
      }),
      {
        description:
          'Tried in order, by cause. Parameters that one does not give are those of `model`; so are address and key where the provider is the same.',
      },
    ),
  ),
})

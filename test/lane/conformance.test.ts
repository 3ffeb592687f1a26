import { laneConformance } from '../conformance/lane.ts'

laneConformance({ name: 'OpenAI chat', model: (url) => `id: openai-chat/gpt-5-mini\n  base_url: ${url}/v1` })
laneConformance({ name: 'OpenAI responses', model: (url) => `id: openai-responses/gpt-5-mini\n  base_url: ${url}/v1` })
laneConformance({ name: 'Anthropic', model: (url) => `id: anthropic/claude-haiku-4-5\n  base_url: ${url}/v1` })
laneConformance({ name: 'Gemini', model: (url) => `id: google/gemini-2.5-flash\n  base_url: ${url}/v1beta` })
laneConformance({ name: 'Mistral', model: (url) => `id: openai-compatible/any\n  base_url: ${url}/mistral/v1` })

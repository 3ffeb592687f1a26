import { expect, it } from 'vitest'
import { specOfShortForm } from '../../src/http/native/short-form.ts'

it.each([
  ['tickets.csv', 'tickets'],
  ['tickets.csv.gz', 'tickets'],
  ['Künden 2026.csv', 'K-nden-2026'],
  ['☃.csv', 'rows'],
  ['.csv', 'rows'],
  [`${'a'.repeat(200)}.csv`, 'a'.repeat(100)],
])('names the spec of %s %s', (filename, name) => {
  const spec = specOfShortForm({ filename, prompt_template: '{{ text }}', model: 'openai/gpt-5-mini' }, { models: {} })
  expect(spec).toMatchObject({ name, input: { source: filename } })
})

import { createOpenAI } from '@ai-sdk/openai'
import { generateText, jsonSchema, Output } from 'ai'
import pLimit from 'p-limit'
import { BENCH_SCHEMA, bodyOf } from './bench-input.ts'

/** What a user would write: generateText with a schema behind p-limit; results in memory, nothing durable. argv: rows, port, concurrency. */
const [rows, port, concurrency] = process.argv.slice(2).map(Number) as [number, number, number]
const model = createOpenAI({ baseURL: `http://127.0.0.1:${port}/v1`, apiKey: 'bench' }).chat('bench-model')
const limit = pLimit(concurrency)
const output = Output.object({ schema: jsonSchema(BENCH_SCHEMA) })
const began = performance.now()
const results = await Promise.all(
  Array.from({ length: rows }, (_, index) =>
    limit(async () => {
      const { output: answer } = await generateText({
        model,
        output,
        maxRetries: 0,
        temperature: 0,
        maxOutputTokens: 100,
        system: 'You label support tickets. Use only the allowed values.',
        prompt: `Subject: Subject, of ${index}\n${bodyOf(index)}`,
      })
      return answer
    }),
  ),
)
process.send?.({ rows: results.length, ms: performance.now() - began, peakMb: process.resourceUsage().maxRSS / 1024 })

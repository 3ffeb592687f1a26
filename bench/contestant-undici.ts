import { Pool } from 'undici'
import { BENCH_SCHEMA, bodyOf } from './bench-input.ts'

/** As little as possible: bare undici requests and JSON.parse; nothing validated, nothing kept. argv: rows, port, concurrency. */
const [rows, port, concurrency] = process.argv.slice(2).map(Number) as [number, number, number]
const pool = new Pool(`http://127.0.0.1:${port}`, { connections: concurrency })
let next = 0
let done = 0
const began = performance.now()
await Promise.all(
  Array.from({ length: concurrency }, async () => {
    while (next < rows) {
      const index = next
      next += 1
      const { body } = await pool.request({
        path: '/v1/chat/completions',
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: 'Bearer bench' },
        body: JSON.stringify({
          model: 'bench-model',
          temperature: 0,
          max_tokens: 100,
          response_format: {
            type: 'json_schema',
            json_schema: { name: 'response', strict: true, schema: BENCH_SCHEMA },
          },
          messages: [
            { role: 'system', content: 'You label support tickets. Use only the allowed values.' },
            { role: 'user', content: `Subject: Subject, of ${index}\n${bodyOf(index)}` },
          ],
        }),
      })
      const reply = (await body.json()) as { choices: [{ message: { content: string } }] }
      JSON.parse(reply.choices[0].message.content)
      done += 1
    }
  }),
)
process.send?.({ rows: done, ms: performance.now() - began, peakMb: process.resourceUsage().maxRSS / 1024 })
await pool.close()

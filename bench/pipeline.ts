import { join } from 'node:path'
import { writeBenchSpec, writeTickets } from './bench-input.ts'
import { contestant, inTempDir, median, type Score, startInstantServer } from './contest.ts'

/**
 * (a) Rows per second through the whole pipeline (schema output, durable) against what a user would write with the AI SDK, and against bare
 * undici, on the same instant server, in turn. `npm run bench:pipeline [rows] [rounds] [concurrency]`.
 */
const [rows = 20_000, rounds = 3, concurrency = 64] = process.argv.slice(2).map(Number)

await inTempDir(async (dir) => {
  const server = await startInstantServer()
  await writeTickets(join(dir, 'tickets.csv'), rows)
  const spec = await writeBenchSpec(dir, server.port, concurrency)
  const scores: Record<string, Score[]> = { sluice: [], 'AI SDK + p-limit': [], 'bare undici': [] }
  for (let round = 0; round < rounds; round += 1) {
    scores.sluice?.push(await contestant('contestant-sluice.ts', [join(dir, `data-${round}`), spec]))
    scores['AI SDK + p-limit']?.push(await contestant('contestant-ai-sdk.ts', [rows, server.port, concurrency]))
    scores['bare undici']?.push(await contestant('contestant-undici.ts', [rows, server.port, concurrency]))
  }
  server.stop()
  const rate = (name: string) => median((scores[name] ?? []).map((score) => (score.rows / score.ms) * 1000))
  console.log(`${rows} rows, ${concurrency} in flight, median of ${rounds} rounds`)
  for (const [name, list] of Object.entries(scores)) {
    const peak = median(list.map((score) => score.peakMb))
    console.log(
      `${name.padEnd(18)} ${Math.round(rate(name)).toString().padStart(7)} rows/s   peak ${Math.round(peak)} MB`,
    )
  }
  const whole = median((scores.sluice ?? []).map((score) => (score.rows / (score.wholeMs ?? score.ms)) * 1000))
  console.log(`sluice with intake ${Math.round(whole).toString().padStart(7)} rows/s`)
  console.log(`sluice / AI SDK     ${(rate('sluice') / rate('AI SDK + p-limit')).toFixed(2)}  (goal >= 3)`)
  console.log(`sluice / undici     ${(rate('sluice') / rate('bare undici')).toFixed(2)}  (goal >= 0.4)`)
})

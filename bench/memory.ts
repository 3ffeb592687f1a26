import { join } from 'node:path'
import { writeBenchSpec, writeTickets } from './bench-input.ts'
import { contestant, inTempDir, startInstantServer } from './contest.ts'

/** (b) Peak memory of a whole job at growing sizes: goal < 250 MB, and flat. `npm run bench:memory [rows…]`. */
const sizes = process.argv.length > 2 ? process.argv.slice(2).map(Number) : [10_000, 100_000, 1_000_000]

for (const rows of sizes) {
  await inTempDir(async (dir) => {
    const server = await startInstantServer()
    await writeTickets(join(dir, 'tickets.csv'), rows)
    const spec = await writeBenchSpec(dir, server.port, 64)
    const score = await contestant('contestant-sluice.ts', [join(dir, 'data'), spec])
    server.stop()
    const rate = Math.round((score.rows / score.ms) * 1000)
    console.log(`${rows.toLocaleString('en').padStart(10)} rows   peak ${Math.round(score.peakMb)} MB   ${rate} rows/s`)
  })
}

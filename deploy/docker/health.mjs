import { stat } from 'node:fs/promises'

/**
 * Whether what runs in this container is alive: exit code 0. A worker touches its health file each second; a server answers at /livez. Its port is
 * `SLUICE_SERVE_PORT`, or what it is where nobody says another.
 */
const SILENT_MS = 30_000

async function isAlive() {
  const file = await stat(process.env.SLUICE_HEALTH_FILE ?? '/tmp/health').catch(() => null)
  if (file !== null) return Date.now() - file.mtimeMs < SILENT_MS
  const port = process.env.SLUICE_SERVE_PORT ?? 4777
  const answer = await fetch(`http://127.0.0.1:${port}/livez`, { signal: AbortSignal.timeout(3_000) })
  return answer.ok
}

process.exitCode = (await isAlive().catch(() => false)) ? 0 : 1

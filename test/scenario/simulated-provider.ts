import { existsSync, readFileSync } from 'node:fs'
import { type SluiceProcess, startSluice, until } from './sluice-process.ts'

/** The simulator as a server in a process of its own, with the log of its requests: what a provider's invoice would say. */
export interface SimulatedProvider {
  readonly url: string
  requests(): readonly LoggedRequest[]
  stop(): Promise<void>
}

/** One line of the simulator's request log. */
export interface LoggedRequest {
  readonly seq: number
  /** When it arrived, UTC milliseconds. */
  readonly time: number
  readonly attempt: string | null
  readonly status: number
  readonly fault: string | null
  readonly billed: boolean
  readonly aborted: boolean
  readonly input_tokens: number
  readonly cached_tokens: number
  readonly cache_write_tokens: number
  readonly output_tokens: number
  readonly cost_nano: number
  readonly sha256: string
}

/** Starts `sluice simulate` with the given flags on a free port. */
export async function startSimulatedProvider(flags: readonly string[], log: string): Promise<SimulatedProvider> {
  const server: SluiceProcess = startSluice(['simulate', '--port', '0', '--request-log', log, ...flags])
  const urlIn = () =>
    /"url":"([^"]+)"/.exec(server.stdout())?.[1] ?? /at (http:\/\/[^\s:]+:\d+)/.exec(server.stderr())?.[1]
  let dead: string | null = null
  void server.ended.then((code) => {
    dead = `the simulator ended with ${code}: ${server.stderr()}`
  })
  await until(() => urlIn() !== undefined || dead !== null, 'the simulator listens')
  const url = urlIn()
  if (url === undefined) throw new Error(dead ?? 'no address')
  return {
    url,
    requests: () => (existsSync(log) ? parseLog(readFileSync(log, 'utf8')) : []),
    async stop() {
      server.child.kill('SIGKILL')
      await server.ended
    },
  }
}

function parseLog(text: string): readonly LoggedRequest[] {
  return text
    .split('\n')
    .filter((line) => line.endsWith('}'))
    .map((line) => JSON.parse(line) as LoggedRequest)
}

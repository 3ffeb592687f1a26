import { createServer } from 'node:net'
import { onTestFinished } from 'vitest'
import type { JobFolder } from './job-folder.ts'
import { type SluiceProcess, until } from './sluice-process.ts'

/** A `sluice serve` on a port of its own, which can be killed and started again. */
export interface Server {
  readonly url: string
  readonly process: SluiceProcess
  /** kill -9, and waits for its death. */
  kill(): Promise<void>
  /** Starts it anew at the same address; resolves when it answers. */
  restart(): Promise<void>
}

/** Starts a server over the folder's state. `config` is its YAML. */
export async function startServer(folder: JobFolder, config: string, ...flags: string[]): Promise<Server> {
  const port = await freePort()
  const file = await folder.write(`serve-${port}.yaml`, config)
  const url = `http://127.0.0.1:${port}`
  let process: SluiceProcess
  const start = async () => {
    process = folder.start('serve', '--port', String(port), '--config', file, ...flags)
    let dead: string | null = null
    const started = process
    void started.ended.then((code) => {
      dead = `the server ended with ${code}: ${started.stderr()}`
    })
    await until(async () => {
      if (dead !== null) throw new Error(dead)
      return await fetch(`${url}/readyz`).then(
        (answer) => answer.ok,
        () => false,
      )
    }, 'the server answers')
  }
  const kill = async () => {
    process.child.kill('SIGKILL')
    await process.ended
  }
  await start()
  onTestFinished(kill)
  return {
    url,
    get process() {
      return process
    },
    kill,
    restart: start,
  }
}

/** A port that nobody listens on at the moment. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

/** Asks a server for JSON. Rejects where it does not answer at all. */
export async function ask(
  url: string,
  request: {
    readonly method?: string
    readonly body?: unknown
    readonly headers?: Readonly<Record<string, string>>
  } = {},
): Promise<{ readonly status: number; readonly headers: Headers; readonly body: Readonly<Record<string, unknown>> }> {
  const { body } = request
  const answer = await fetch(url, {
    method: request.method ?? (body === undefined ? 'GET' : 'POST'),
    headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...request.headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  const text = await answer.text()
  return { status: answer.status, headers: answer.headers, body: text === '' ? {} : JSON.parse(text) }
}

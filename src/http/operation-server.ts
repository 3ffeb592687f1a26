import Fastify from 'fastify'
import type { App } from './http-deps.ts'
import { type Listening, listenAt } from './listen.ts'
import { addProbes, type Operation } from './operation-routes.ts'

/** A server for operators alone. */
export interface OperationServer extends Listening {
  close(): Promise<void>
}

/**
 * Serves `/livez`, `/readyz` and `/metrics` for a process that serves nothing else. Throws SluiceError `usage`, with `hint`, where its address cannot be
 * had.
 */
export async function startOperationServer(
  operation: Operation & { readonly port: number },
  hint: string,
): Promise<OperationServer> {
  // Who asks again and again keeps its connection; it must not hold up the end of the process.
  const app: App = Fastify({ logger: false, forceCloseConnections: true })
  addProbes(app, operation)
  const listening = await listenAt(app, operation, hint)
  return Object.freeze({ ...listening, close: () => app.close() })
}

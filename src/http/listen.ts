import type { AddressInfo } from 'node:net'
import { SluiceError } from '../errors.ts'
import type { App } from './http-deps.ts'

/** Where somebody listens. */
export interface Listening {
  readonly host: string
  readonly port: number
  /** Where this machine reaches it. */
  readonly url: string
}

/** Lets an app listen; port 0: at any free one. Throws SluiceError `usage`, with `hint`, where that address cannot be had. */
export async function listenAt(app: App, wanted: Pick<Listening, 'host' | 'port'>, hint: string): Promise<Listening> {
  await app.listen({ host: wanted.host, port: wanted.port }).catch((error: unknown) => {
    throw cannotListen(error, wanted, hint)
  })
  const { address: host, port } = app.server.address() as AddressInfo
  return { host, port, url: `http://${host.includes(':') ? `[${host}]` : host}:${port}` }
}

function cannotListen(error: unknown, { host, port }: Pick<Listening, 'host' | 'port'>, hint: string): SluiceError {
  const { code, message } = error as NodeJS.ErrnoException
  const why = code === 'EADDRINUSE' ? 'something else listens there' : message
  return new SluiceError('usage', `the server cannot listen on ${host}, port ${port}: ${why}`, { hint, cause: error })
}

import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

/**
 * What becomes of the next commit: it reaches the server and its answer is lost, or it never gets there. The connection breaks over it; with
 * `nobody answers` there is no other either.
 */
export type Fate = 'answer lost' | 'never sent' | 'nobody answers'

/** A way to a PostgreSQL server that can be cut. */
export interface Way {
  readonly url: string
  /** Breaks the connection that commits next, in this way. */
  breakNextCommit(fate: Fate): void
  /** Breaks every connection that is open now. */
  cutAll(): void
  /** Connections that were made so far. */
  readonly connections: number
  close(): Promise<void>
}

/** Listens on a loopback port and passes everything on to the server of `url`. */
export async function startProxy(url: string): Promise<Way> {
  const target = new URL(url)
  const sockets = new Set<Socket>()
  let connections = 0
  let fate: Fate | null = null

  const server = createServer((client) => {
    connections += 1
    const upstream = connect(Number(target.port), target.hostname)
    let swallowing = false
    const end = () => {
      client.destroy()
      upstream.destroy()
    }
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('close', () => {
        sockets.delete(socket)
        end()
      })
      socket.on('error', end)
    }
    client.on('data', (data) => {
      if (fate !== null && data.includes('commit\0')) {
        const chosen = fate
        fate = null
        if (chosen === 'never sent') return end()
        if (chosen === 'nobody answers') server.close()
        swallowing = true
      }
      upstream.write(data)
    })
    upstream.on('data', (data) => {
      if (swallowing) end()
      else client.write(data)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const through = new URL(url)
  through.port = String(address.port)

  return {
    url: through.href,
    breakNextCommit(chosen) {
      fate = chosen
    },
    cutAll() {
      for (const socket of sockets) socket.destroy()
    },
    get connections() {
      return connections
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      if (!server.listening) return
      server.close()
      await once(server, 'close')
    },
  }
}

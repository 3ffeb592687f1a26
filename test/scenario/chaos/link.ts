import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

/** A link between a worker and its database that can be cut, made slow, or made deaf: TCP as a bad network gives it. */
export interface Link {
  readonly port: number
  /** Hangs up on every connection; new ones go through. */
  cut(): void
  /** From now on each packet arrives `ms` later, in both directions; 0: at once. */
  slow(ms: number): void
  /** `true`: nothing arrives any more, and nobody is told. `false`: it arrives again, what was held back first. */
  deafen(deaf: boolean): void
  close(): Promise<void>
}

/** How a link treats what goes over it. */
interface Weather {
  delayMs: number
  deaf: boolean
}

/** Opens a link on a free port of this machine to `targetPort`. */
export async function openLink(targetPort: number): Promise<Link> {
  const weather: Weather = { delayMs: 0, deaf: false }
  const ways = new Set<Way>()
  const server = createServer((near) => {
    const far = connect(targetPort, '127.0.0.1')
    for (const way of [oneWay(near, far, weather), oneWay(far, near, weather)]) {
      ways.add(way)
      way.from.on('close', () => ways.delete(way))
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const hangUp = () => {
    for (const way of ways) way.from.destroy()
  }
  return {
    port: (server.address() as { port: number }).port,
    cut: hangUp,
    slow: (ms) => {
      weather.delayMs = ms
    },
    deafen(deaf) {
      weather.deaf = deaf
      for (const way of ways) way.deliver()
    },
    async close() {
      hangUp()
      server.close()
      await once(server, 'close')
    },
  }
}

interface Way {
  readonly from: Socket
  /** Sends on what is due. */
  deliver(): void
}

/** One direction of a connection. Packets keep their order, whatever the weather does meanwhile. */
function oneWay(from: Socket, to: Socket, weather: Weather): Way {
  const underWay: { readonly dueAt: number; readonly bytes: Buffer }[] = []
  const deliver = () => {
    while (!weather.deaf && underWay[0] !== undefined && underWay[0].dueAt <= performance.now()) {
      const packet = underWay.shift()
      if (packet !== undefined && !to.destroyed) to.write(packet.bytes)
    }
  }
  from.on('data', (bytes: Buffer) => {
    underWay.push({ dueAt: performance.now() + weather.delayMs, bytes })
    if (weather.delayMs === 0) deliver()
    // A timer may fire a little early: one more turn, and the packet is due.
    else setTimeout(deliver, weather.delayMs + 1).unref()
  })
  // Whoever hangs up is found out at once, unless the link is deaf: then nobody hears of it.
  from.on('error', () => to.destroy())
  from.on('close', () => to.destroy())
  return { from, deliver }
}

import { once } from 'node:events'
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'

/** What stands between sluice and a provider: a create of a batch may be held up on its way, and arrives though its sender is dead by then. */
export interface SlowGateway {
  readonly url: string
  /** Creates that have come in so far, whole. */
  creates(): number
  /** Of these, those whose sender was gone before they arrived at the provider. */
  orphans(): number
  /** Resolves when none is on its way. */
  settled(): Promise<void>
  close(): Promise<void>
}

/** Where each of the providers creates a batch. */
const CREATE = /(\/batches|\/batch\/jobs|:batchGenerateContent)$/

/** Opens a gateway to the server at `to`: some of the creates are held up for a moment, and some for as long as `mostMs`. */
export async function openSlowGateway(to: string, mostMs: number, random: () => number): Promise<SlowGateway> {
  const { hostname, port } = new URL(to)
  // A connection for each: one that is kept may be closed just as it is used again.
  const agent = new Agent({ keepAlive: false })
  const held = new Set<Promise<void>>()
  let [creates, orphans] = [0, 0]

  const pass = (asked: IncomingMessage) =>
    request({ hostname, port, agent, path: asked.url, method: asked.method, headers: asked.headers })

  const holdUp = async (asked: IncomingMessage, reply: ServerResponse) => {
    const body = await buffer(asked)
    creates += 1
    await sleep(holdMs(random(), random(), mostMs))
    if (reply.destroyed) orphans += 1
    const onward = pass(asked).end(body)
    const [answer] = (await once(onward, 'response')) as [IncomingMessage]
    const text = await buffer(answer)
    reply.writeHead(answer.statusCode ?? 502, answer.headers).end(text)
  }
  const handOn = async (asked: IncomingMessage, reply: ServerResponse) => {
    const onward = pass(asked)
    const answered = once(onward, 'response') as Promise<[IncomingMessage]>
    const [[answer]] = await Promise.all([answered, pipeline(asked, onward)])
    reply.writeHead(answer.statusCode ?? 502, answer.headers)
    await pipeline(answer, reply)
  }

  const server = createServer((asked, reply) => {
    const isCreate = asked.method === 'POST' && CREATE.test(new URL(asked.url ?? '/', to).pathname)
    // What breaks behind us breaks before us.
    const done = (isCreate ? holdUp : handOn)(asked, reply).catch(() => void reply.destroy())
    if (!isCreate) return
    const kept = done.finally(() => held.delete(kept))
    held.add(kept)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return Object.freeze({
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    creates: () => creates,
    orphans: () => orphans,
    async settled() {
      while (held.size > 0) await Promise.all(held)
    },
    async close() {
      server.close()
      server.closeAllConnections()
    },
  })
}

/** For how long: not at all, for a moment in which its sender may still die, or for so long that others may look for it meanwhile. */
function holdMs(kind: number, draw: number, mostMs: number): number {
  if (kind < 0.4) return 0
  return kind < 0.7 ? draw * Math.min(mostMs, 1_000) : mostMs * (0.5 + draw / 2)
}

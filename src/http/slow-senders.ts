import type { IncomingMessage, Server } from 'node:http'
import type { Runtime } from '../runtime.ts'

/** How often those who send are looked at. */
const LOOK_MS = 30_000
/** What must come between two looks: a hundredth of a very slow connection. */
const MIN_BYTES = 300
/** How long a body of JSON may take as a whole: it is held in memory, and no upload. */
const JSON_MS = 60_000

interface Sender {
  readonly request: IncomingMessage
  readonly beganAtMs: number
  readonly isJson: boolean
  bytes: number
}

/**
 * Ends connections on which a body that was begun does not come: nothing for half a minute, or a minute in all for JSON. An upload on a slow line lives as long
 * as it sends anything to speak of. Returns the way out.
 */
export function refuseSlowSenders(server: Server, runtime: Runtime): () => void {
  const senders = new Set<Sender>()
  const onRequest = (request: IncomingMessage) => {
    if (!hasBody(request)) return
    const sender: Sender = {
      request,
      beganAtMs: runtime.elapsed(),
      isJson: /json/i.test(request.headers['content-type'] ?? ''),
      bytes: request.socket.bytesRead,
    }
    senders.add(sender)
    request.once('close', () => senders.delete(sender))
  }
  const look = () => {
    const nowMs = runtime.elapsed()
    for (const sender of senders) {
      if (sender.request.complete) senders.delete(sender)
      else if (isTooSlow(sender, nowMs)) sender.request.socket.destroy()
    }
  }
  const ended = new AbortController()
  const watch = async () => {
    while (!ended.signal.aborted) {
      await runtime.sleep(LOOK_MS, ended.signal, { unref: true }).catch(() => undefined)
      look()
    }
  }
  server.on('request', onRequest)
  void watch()
  return () => {
    server.off('request', onRequest)
    ended.abort()
  }
}

function isTooSlow(sender: Sender, nowMs: number): boolean {
  const { request, isJson, beganAtMs } = sender
  if (isJson && nowMs - beganAtMs > JSON_MS) return true
  const bytes = request.socket.bytesRead - sender.bytes
  sender.bytes = request.socket.bytesRead
  // What lies here unread is our own slowness.
  return bytes < MIN_BYTES && request.readableLength === 0 && nowMs - beganAtMs >= LOOK_MS
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

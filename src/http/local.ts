import type { FastifyRequest } from 'fastify'

/**
 * Whether a program on this machine asks for this machine by its own name. A page of another site in a browser here comes with its own origin, or by a
 * name of its own that leads here: neither is let in.
 */
export function asksFromHere(request: FastifyRequest): boolean {
  const host = hostOf(`http://${request.headers.host ?? ''}`)
  if (host === null || !isLoopback(host.hostname) || !isLoopback(request.ip)) return false
  const { origin } = request.headers
  return origin === undefined || hostOf(origin)?.host === host.host
}

/** Whether an address, or a name, is this machine's own and nobody else's. */
export function isLoopback(host: string): boolean {
  const plain = host.replace(/^\[|\]$/g, '').replace(/^::ffff:/, '')
  return plain === 'localhost' || plain === '::1' || /^127(\.\d{1,3}){3}$/.test(plain)
}

function hostOf(url: string): URL | null {
  return URL.canParse(url) ? new URL(url) : null
}

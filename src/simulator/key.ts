import type { SimulatedRequest } from './exchange.ts'
import type { ResolvedOptions } from './options.ts'

/** Whether a request's key is refused; `bad-key` always is. */
export function isKeyRefused(options: ResolvedOptions, request: Pick<SimulatedRequest, 'headers' | 'path'>): boolean {
  return options.badKey || keyOf(request) === 'bad-key'
}

function keyOf({ headers, path }: Pick<SimulatedRequest, 'headers' | 'path'>): string | undefined {
  const bearer = headers.authorization?.replace(/^Bearer\s+/i, '')
  return bearer ?? headers['x-api-key'] ?? headers['x-goog-api-key'] ?? /[?&]key=([^&]*)/.exec(path)?.[1]
}

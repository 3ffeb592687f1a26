import type { Models } from '../provider/model.ts'
import type { Lane } from './lane.ts'

/** The live lane: one request now, over the provider's own API. */
export function createLiveLane(models: Models): Lane {
  return Object.freeze({
    name: 'live' as const,
    send: (request, options) => models.open(request.target).complete(request, options),
  } satisfies Lane)
}

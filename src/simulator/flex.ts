import type { Draw } from './draw.ts'

/** What a request is served at: flex is slower, cheaper, and not always to be had. */
export type Tier = 'flex' | 'standard'

/** How the simulator serves requests that ask for flex. */
export interface SimulatedFlex {
  /** How many times as long an answer takes. @default 4 */
  readonly slower: number
  /** Share of requests for which there is no room: turned away, and not billed. @default 0 */
  readonly refused: number
  /** No model is to be had at this tier: such requests are turned away as malformed. @default false */
  readonly none: boolean
}

export const DEFAULT_FLEX: SimulatedFlex = Object.freeze({ slower: 4, refused: 0, none: false })

/** What flex charges, in thousandths of the price. */
export const FLEX_PERMILLE = 500

/** The tier that a request names, in whatever letters; what is no flex is served as standard. */
export function tierAsked(named: unknown): Tier {
  return typeof named === 'string' && named.toLowerCase() === 'flex' ? 'flex' : 'standard'
}

/** Why a request for flex is not served; `null`: it is. */
export function flexRefusal(flex: SimulatedFlex, draw: () => Draw) {
  const message = 'Invalid service_tier argument: flex is not supported by this model.'
  if (flex.none) return { kind: 'bad_request', message, param: 'service_tier' } as const
  return flex.refused > 0 && draw()() < flex.refused ? ({ kind: 'no_flex' } as const) : null
}

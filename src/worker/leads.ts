import type { AnswerSource } from '../store/role/answers.ts'
import type { HeldChunk, RowTask } from './held-chunk.ts'

/** A request that rows of this process ask, and the rows that wait for its answer. */
export interface Lead {
  readonly requestHash: string
  /** Tenant and scope within which its answer is shared. */
  readonly scope: string
  /** The row for which the request is claimed in the store. */
  readonly source: AnswerSource
  /** They keep no slot and no lease, and are in no queue. */
  readonly followers: RowTask[]
  /** How often those that asked have failed, one after the other. */
  readonly failures: number
  /** Rows that ask it: one, and more after it has failed, so that many equal rows that all fail do not wait for each other one by one. */
  asking: number
}

/** Who asks what, in one process. */
export interface Leads {
  find(scope: string, requestHash: string): Lead | null
  open(lead: Lead, askers: readonly RowTask[]): void
  /** A row has ended: the lead that it asked for, and asks for no more; `null`: it asked for nobody but itself. */
  end(held: HeldChunk, rowIndex: number): Lead | null
  /** Nobody follows this lead any more. */
  close(lead: Lead): void
  /** A chunk has gone: the leads that nobody asks any more, closed. */
  leave(held: HeldChunk): readonly Lead[]
}

/** Creates the leads of one worker. */
export function createLeads(): Leads {
  const ofScopes = new Map<string, Map<string, Lead>>()
  const ofChunks = new Map<HeldChunk, Map<number, Lead>>()

  const close = (lead: Lead) => {
    const ofScope = ofScopes.get(lead.scope)
    if (ofScope?.get(lead.requestHash) !== lead) return
    ofScope.delete(lead.requestHash)
    if (ofScope.size === 0) ofScopes.delete(lead.scope)
  }
  return Object.freeze({
    find: (scope: string, requestHash: string) => ofScopes.get(scope)?.get(requestHash) ?? null,
    open(lead: Lead, askers: readonly RowTask[]) {
      inner(ofScopes, lead.scope).set(lead.requestHash, lead)
      for (const { held, row } of askers) inner(ofChunks, held).set(row.index, lead)
    },
    end(held: HeldChunk, rowIndex: number) {
      const ofChunk = ofChunks.get(held)
      const lead = ofChunk?.get(rowIndex)
      if (ofChunk === undefined || lead === undefined) return null
      ofChunk.delete(rowIndex)
      if (ofChunk.size === 0) ofChunks.delete(held)
      lead.asking -= 1
      return lead
    },
    close,
    leave(held: HeldChunk) {
      const left = [...(ofChunks.get(held)?.values() ?? [])]
      ofChunks.delete(held)
      for (const lead of left) lead.asking -= 1
      const deserted = [...new Set(left)].filter((lead) => lead.asking === 0)
      deserted.forEach(close)
      return deserted
    },
  })
}

function inner<A, B, C>(maps: Map<A, Map<B, C>>, key: A): Map<B, C> {
  const known = maps.get(key)
  if (known !== undefined) return known
  const made = new Map<B, C>()
  maps.set(key, made)
  return made
}

/** How the HTTP face tells what happens in it, and where an operator's tools read it. Holds no contents and no keys. */
export interface Telemetry {
  /** A request was answered, or its caller went away. */
  requestEnded(request: RequestEnd): void
  /** A request failed for a reason of our own, and its caller is told no more than that. */
  requestFailed(failure: RequestFailure): void
  /** A long answer begins; what is returned is called once when it is over. */
  streamOpened(kind: StreamKind): () => void
  /** Everything that is measured, in the text form of Prometheus. Rejects where the store does not answer. */
  metrics(): Promise<string>
  /** Sends what is still to be sent, within a few seconds, and lets go. */
  close(): Promise<void>
}

export type StreamKind = 'rows' | 'events' | 'download'

/** A request as it is told in the log and in figures. */
export interface RequestEnd {
  readonly id: string
  readonly method: string
  /** The route's pattern, never the address asked for: that may hold keys of rows. `null`: none of ours. */
  readonly route: string | null
  readonly status: number
  readonly ms: number
  /** As `Principal.actor` and its tenant; `null`: nobody had to say who asks, or could. */
  readonly actor: string | null
  readonly tenant: string | null
  /** `closed`: the caller went away first. */
  readonly end: 'answered' | 'closed'
}

/** Why a request failed. */
export interface RequestFailure {
  readonly id: string
  readonly route: string | null
  readonly error: unknown
}

/** Measures nothing and tells nobody. */
export const NO_TELEMETRY: Telemetry = Object.freeze({
  requestEnded: () => undefined,
  requestFailed: () => undefined,
  streamOpened: () => () => undefined,
  metrics: async () => '',
  close: async () => undefined,
})

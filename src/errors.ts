import { ERRORS, type ExitCode } from './errors/catalogue.ts'

export { ERRORS, type ExitCode } from './errors/catalogue.ts'

export type ErrorCode = keyof typeof ERRORS

/** A place in a file, from 1. */
export interface Place {
  readonly file: string
  readonly line: number | null
  readonly column: number | null
}

/** One of several findings that an error reports together. */
export interface Finding {
  readonly severity: 'error' | 'warning' | 'ok'
  readonly place: Place | null
  readonly message: string
  readonly hint: string | null
}

/** An error that a user can meet: what happened (`message`), where (`place`), and what to do (`hint`). */
export class SluiceError extends Error {
  readonly code: ErrorCode
  readonly hint: string
  readonly place: Place | null
  readonly findings: readonly Finding[]

  constructor(
    code: ErrorCode,
    message: string,
    more: {
      readonly hint?: string
      readonly place?: Place | null
      readonly findings?: readonly Finding[]
      readonly cause?: unknown
    } = {},
  ) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause })
    this.name = 'SluiceError'
    this.code = code
    this.hint = more.hint ?? ERRORS[code].hint
    this.place = more.place ?? null
    this.findings = more.findings ?? []
  }

  get exitCode(): ExitCode {
    return ERRORS[this.code].exitCode
  }
}

/** `file:line:col`, with what is known. */
export function formatPlace(place: Place): string {
  return [place.file, place.line, place.column].filter((part) => part !== null).join(':')
}

/** A finding as all JSON tells it. */
export function findingJson({ severity, place, message, hint }: Finding) {
  return { severity, place: placeJson(place), message, hint }
}

/** A place as all JSON tells it. */
export function placeJson(place: Place | null) {
  return place === null ? null : { file: place.file, line: place.line, column: place.column }
}

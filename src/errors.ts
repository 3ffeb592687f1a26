/** One kind of error that a user can meet. `docs/errors.md` lists the same codes; a test keeps the two equal. */
interface ErrorKind {
  /** What happened, for the docs; the message of each error says it with its own names and places. */
  readonly title: string
  /** What to do, where the thrower has nothing better to say. */
  readonly hint: string
  readonly exitCode: ExitCode
  readonly httpStatus: number
}

/** Exit codes of contract §5. Never 99. */
export type ExitCode = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 130 | 143

/** Every error that sluice raises on purpose. */
export const ERRORS = Object.freeze({
  usage: {
    title: 'The command was called wrongly',
    hint: 'See `sluice <command> --help`.',
    exitCode: 2,
    httpStatus: 400,
  },
  spec_invalid: {
    title: 'The spec has errors',
    hint: 'Run `sluice check <spec>` for all of them.',
    exitCode: 2,
    httpStatus: 422,
  },
  not_yet_supported: {
    title: 'A part of the spec, or a flag, is not built yet',
    hint: 'Remove it: nothing is ever ignored in silence.',
    exitCode: 2,
    httpStatus: 422,
  },
  input_missing: {
    title: 'The input was not found',
    hint: 'Check input.source; it is relative to the spec.',
    exitCode: 2,
    httpStatus: 422,
  },
  input_invalid: {
    title: 'The input as a whole cannot be read',
    hint: 'Mend the file, or say how to read it under input.',
    exitCode: 2,
    httpStatus: 422,
  },
  input_changed: {
    title: 'The input changed while it was being read',
    hint: 'Start a new job: `sluice run`.',
    exitCode: 1,
    httpStatus: 409,
  },
  duplicate_key: {
    title: 'Two rows have the same key',
    hint: 'Make input.key unique, or leave it out.',
    exitCode: 2,
    httpStatus: 422,
  },
  job_not_found: { title: 'No such job', hint: 'See `sluice jobs`.', exitCode: 2, httpStatus: 404 },
  job_state: { title: 'The job is in no state for that', hint: 'See `sluice status`.', exitCode: 2, httpStatus: 409 },
  job_key_conflict: {
    title: 'The job key belongs to a job with another spec or input',
    hint: 'Use another --job-key, or run the same spec and input.',
    exitCode: 2,
    httpStatus: 422,
  },
  plan_stale: {
    title: 'The spec, the input or a price is not what was planned',
    hint: 'Make a new plan: `sluice plan <spec> -o plan.json`.',
    exitCode: 2,
    httpStatus: 409,
  },
  budget_unkeepable: {
    title: 'A budget in dollars cannot be kept with the models of the job',
    hint: 'Give model.price and model.params.max_output_tokens, or use a budget in tokens.',
    exitCode: 2,
    httpStatus: 422,
  },
  row_not_found: {
    title: 'No such row',
    hint: 'Rows are named by input.key, else by their index.',
    exitCode: 2,
    httpStatus: 404,
  },
  notice_not_found: {
    title: 'No such notification',
    hint: 'See `sluice notify`.',
    exitCode: 2,
    httpStatus: 404,
  },
  worker_not_found: {
    title: 'No such worker is at work',
    hint: 'See `sluice status --fleet`.',
    exitCode: 2,
    httpStatus: 404,
  },
  batch_not_found: {
    title: 'No such batch is out',
    hint: 'See `sluice batches`.',
    exitCode: 2,
    httpStatus: 404,
  },
  batch_state: {
    title: 'The batch is in no state for that',
    hint: 'See `sluice batches`.',
    exitCode: 2,
    httpStatus: 409,
  },
  batch_refuted: {
    title: 'What was said of a batch does not fit what its provider says',
    hint: "Look at the batches of that time on the provider's page.",
    exitCode: 2,
    httpStatus: 422,
  },
  provider_unanswered: {
    title: 'The provider did not answer a question',
    hint: 'Try again when it does.',
    exitCode: 1,
    httpStatus: 502,
  },
  credentials_missing: {
    title: 'The key of the provider is not set',
    hint: 'Set the variable that model.api_key_env names.',
    exitCode: 4,
    httpStatus: 422,
  },
  storage: {
    title: 'The data directory, or the database, cannot be used',
    hint: 'Free some space, or bring the database back; then `sluice resume`.',
    exitCode: 1,
    httpStatus: 503,
  },
  store_version: {
    title: 'What a sluice of another version keeps its state in does not fit this one',
    hint: 'Use the newer version, or another --data-dir.',
    exitCode: 1,
    httpStatus: 503,
  },
  snapshot_damaged: {
    title: 'A segment of the snapshot is missing or not as it was written',
    hint: 'The input must be read again: start a new job.',
    exitCode: 1,
    httpStatus: 500,
  },
  output_unwritable: {
    title: 'The output file cannot be written',
    hint: 'Choose another path with -o.',
    exitCode: 1,
    httpStatus: 500,
  },
  internal: { title: 'A defect in sluice', hint: 'Please report it with the message.', exitCode: 1, httpStatus: 500 },
} satisfies Record<string, ErrorKind>)

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

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
  config_invalid: {
    title: 'The configuration of the server has errors',
    hint: 'docs/operations.md lists every key.',
    exitCode: 2,
    httpStatus: 500,
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
  file_not_found: {
    title: 'No such file',
    hint: 'Files run out, and are gone when they are deleted.',
    exitCode: 2,
    httpStatus: 404,
  },
  model_not_found: {
    title: 'No such model is to be had',
    hint: 'See `GET /v1/models`, or name it with its provider: openai/gpt-5-mini.',
    exitCode: 2,
    httpStatus: 404,
  },
  file_state: {
    title: 'The file is in no state for that',
    hint: 'Ask how many bytes of it are there, and send the rest.',
    exitCode: 2,
    httpStatus: 409,
  },
  file_mismatch: {
    title: 'What was received is not what was announced',
    hint: 'Send the file again.',
    exitCode: 2,
    httpStatus: 422,
  },
  file_too_large: {
    title: 'The file is larger than this server takes',
    hint: 'Split it, or ask who runs the server.',
    exitCode: 2,
    httpStatus: 413,
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
  range_unfit: {
    title: 'A range of bytes that cannot be',
    hint: 'Ask how many bytes are there with HEAD.',
    exitCode: 2,
    httpStatus: 416,
  },
  stopping: {
    title: 'The server is told to stop',
    hint: 'Ask again in a moment, and go on where it ended.',
    exitCode: 1,
    httpStatus: 503,
  },
  unauthorized: {
    title: 'It is not known who asks',
    hint: 'Send `Authorization: Bearer` with a key; `sluice key create` makes one.',
    exitCode: 4,
    httpStatus: 401,
  },
  scope_missing: {
    title: 'The key or token may not do that',
    hint: 'Use one with the scope that the message names.',
    exitCode: 4,
    httpStatus: 403,
  },
  route_not_found: {
    title: 'No such route',
    hint: 'The routes are in `/api/v1/openapi.json`.',
    exitCode: 2,
    httpStatus: 404,
  },
  method_not_allowed: {
    title: 'The route is there, and takes other methods',
    hint: 'Use one of those in the header `Allow`.',
    exitCode: 2,
    httpStatus: 405,
  },
  request_invalid: {
    title: 'The request is not what the route takes',
    hint: 'Correct it; `/api/v1/openapi.json` says what the route takes.',
    exitCode: 2,
    httpStatus: 400,
  },
  request_timeout: {
    title: 'The request did not come to its end in time',
    hint: 'Send it without pauses.',
    exitCode: 1,
    httpStatus: 408,
  },
  headers_too_large: {
    title: 'Address and headers are larger than this server takes',
    hint: 'Send fewer and shorter ones; what is long belongs into the body.',
    exitCode: 2,
    httpStatus: 431,
  },
  body_too_large: {
    title: 'The body is larger than this server takes',
    hint: 'Send less, or ask who runs the server.',
    exitCode: 2,
    httpStatus: 413,
  },
  media_type: {
    title: 'The body is of a type that the route does not take',
    hint: 'Send `Content-Type: application/json`.',
    exitCode: 2,
    httpStatus: 415,
  },
  not_acceptable: {
    title: 'What is asked for is not there in any form that is accepted',
    hint: 'Ask for one of the forms that the message names.',
    exitCode: 2,
    httpStatus: 406,
  },
  rate_limited: {
    title: 'Too many requests for one key or token',
    hint: 'Wait as long as `Retry-After` says.',
    exitCode: 1,
    httpStatus: 429,
  },
  overloaded: {
    title: 'The server has more to do than it can',
    hint: 'Wait as long as `Retry-After` says.',
    exitCode: 1,
    httpStatus: 503,
  },
  spec_not_found: {
    title: 'No such spec, or no such version of it',
    hint: 'See `GET /api/v1/specs`.',
    exitCode: 2,
    httpStatus: 404,
  },
  spec_changed: {
    title: 'The spec is not the version any more that the change was made on',
    hint: 'Read it again, and change what is there now.',
    exitCode: 2,
    httpStatus: 412,
  },
  idempotency_in_flight: {
    title: 'A request with the same Idempotency-Key is not answered yet',
    hint: 'Ask again in a moment, with the same key.',
    exitCode: 1,
    httpStatus: 409,
  },
  idempotency_reused: {
    title: 'The Idempotency-Key was used for another request',
    hint: 'Use a fresh key for each request, and the same only to repeat it.',
    exitCode: 2,
    httpStatus: 422,
  },
  internal: { title: 'A defect in sluice', hint: 'Please report it with the message.', exitCode: 1, httpStatus: 500 },
} satisfies Record<string, ErrorKind>)

import { resolve } from 'node:path'

/** Where state lives and how the process behaves: read once from the environment and the flags, then frozen. */
export interface Config {
  /** Where one machine keeps its state; absolute path. */
  readonly dataDir: string
  /** Where many machines share theirs; `null`: this machine keeps its own. */
  readonly shared: SharedState | null
  /** What paths on the command line are relative to; absolute. */
  readonly cwd: string
  /** Reads a variable by name: for keys named by specs and for `${NAME}` in them. An empty one counts as not set. */
  readonly env: (name: string) => string | undefined
  readonly terminal: { readonly color: boolean; readonly ci: boolean; readonly dumb: boolean }
  readonly logLevel: 'silent' | 'error' | 'warn' | 'info' | 'debug'
}

/** The database and the object storage that all machines of a fleet share. */
export interface SharedState {
  /** `postgres://…`; holds a password as a rule, and must not be shown. */
  readonly databaseUrl: string
  /** `s3://bucket/prefix?…`, or `file:///path` for a directory that all machines have mounted. */
  readonly blobUrl: string
}

const LOG_LEVELS = ['silent', 'error', 'warn', 'info', 'debug'] as const

/**
 * Reads the environment, the only place that does. `flags` win over variables: `--data-dir` over `SLUICE_DATABASE_URL` with `SLUICE_BLOB_URL` over
 * `SLUICE_DATA_DIR` over `.sluice`. Throws a plain message when a variable holds something else than expected.
 */
export function readConfig(
  flags: { readonly dataDir?: string | undefined },
  environment: NodeJS.ProcessEnv = process.env,
  cwd: string = process.cwd(),
): Config {
  const env = (name: string) => {
    const value = environment[name]
    return value === undefined || value === '' ? undefined : value
  }
  const logLevel = env('SLUICE_LOG_LEVEL') ?? 'warn'
  if (!isLogLevel(logLevel))
    throw new Error(`SLUICE_LOG_LEVEL: expected one of ${LOG_LEVELS.join(', ')}, got ${JSON.stringify(logLevel)}`)
  return Object.freeze({
    dataDir: resolve(cwd, flags.dataDir ?? env('SLUICE_DATA_DIR') ?? '.sluice'),
    shared: flags.dataDir === undefined ? sharedState(env) : null,
    cwd,
    env,
    terminal: Object.freeze({
      color: env('NO_COLOR') === undefined && env('TERM') !== 'dumb',
      ci: env('CI') !== undefined,
      dumb: env('TERM') === 'dumb',
    }),
    logLevel,
  })
}

function sharedState(env: Config['env']): SharedState | null {
  const [databaseUrl, blobUrl] = [env('SLUICE_DATABASE_URL'), env('SLUICE_BLOB_URL')]
  if (databaseUrl === undefined && blobUrl === undefined) return null
  // The snapshot of a job must be where every worker can read it: one of the two alone would work until the first chunk.
  if (databaseUrl === undefined)
    throw new Error('SLUICE_BLOB_URL is set, and SLUICE_DATABASE_URL is not: set both, or neither')
  if (blobUrl === undefined)
    throw new Error('SLUICE_DATABASE_URL is set, and SLUICE_BLOB_URL is not: set both, or neither')
  if (!/^postgres(ql)?:\/\//.test(databaseUrl)) throw new Error('SLUICE_DATABASE_URL: expected postgres://…')
  if (!/^(s3|file):\/\//.test(blobUrl)) throw new Error('SLUICE_BLOB_URL: expected s3://bucket/prefix or file:///path')
  return Object.freeze({ databaseUrl, blobUrl })
}

function isLogLevel(text: string): text is (typeof LOG_LEVELS)[number] {
  return (LOG_LEVELS as readonly string[]).includes(text)
}

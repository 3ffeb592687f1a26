import { resolve } from 'node:path'

/** Where state lives and how the process behaves: read once from the environment and the flags, then frozen. */
export interface Config {
  /** Absolute path. */
  readonly dataDir: string
  /** What paths on the command line are relative to; absolute. */
  readonly cwd: string
  /** Reads a variable by name: for keys named by specs and for `${NAME}` in them. An empty one counts as not set. */
  readonly env: (name: string) => string | undefined
  readonly terminal: { readonly color: boolean; readonly ci: boolean; readonly dumb: boolean }
  readonly logLevel: 'silent' | 'error' | 'warn' | 'info' | 'debug'
}

const LOG_LEVELS = ['silent', 'error', 'warn', 'info', 'debug'] as const

/**
 * Reads the environment, the only place that does. `flags` win over variables: `--data-dir` over `SLUICE_DATA_DIR` over `.sluice`.
 * Throws a plain message when a variable holds something else than expected.
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

function isLogLevel(text: string): text is (typeof LOG_LEVELS)[number] {
  return (LOG_LEVELS as readonly string[]).includes(text)
}

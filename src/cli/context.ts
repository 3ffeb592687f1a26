import type { Config } from '../config.ts'
import type { Allowance } from '../domain/allowance.ts'
import type { Engine } from '../engine.ts'
import type { ExitCode } from '../errors.ts'
import type { Runtime } from '../runtime.ts'
import type { Service } from '../service.ts'
import type { SimulatorOptions } from '../simulator/options.ts'
import type { Interruption, SignalSource } from './interruption.ts'
import type { EventLines } from './ndjson.ts'
import type { Output, OutStream } from './output.ts'

/** The outside world of the command line: `main.ts` gives the real one, tests their own. */
export interface CliDeps {
  readonly openEngine: (config: Config) => Promise<Engine>
  /** What a server of many tenants works with. `allowance`: what specs that come over the network may name. */
  readonly openService: (config: Config, allowance: Allowance) => Promise<Service>
  /** Starts the provider simulator as a server; resolves when it listens. */
  readonly startSimulator: (request: SimulateRequest) => Promise<RunningSimulator>
  /** Flags over environment; throws a plain error when a variable holds nonsense. */
  readonly readConfig: (flags: { readonly dataDir?: string | undefined }) => Config
  readonly stdout: OutStream
  readonly stderr: OutStream
  readonly signals: SignalSource
  /** Where SIGTTIN (more) and SIGTTOU (less) come from: `sluice worker` changes its concurrency by them. Returns the way out. */
  readonly loadSignals: (listener: (change: 'more' | 'less') => void) => () => void
  /** Brings the schema of the state up to date; of many that do so at once, one does the work. */
  readonly migrate: (config: Config) => Promise<Migrated>
  /** Ends the process at once; only after a third signal, or when stopping takes too long. */
  readonly exit: (code: ExitCode) => void
  readonly runtime: Runtime
  readonly version: string
  /** Folder of the package, where `examples/` and `sluice.schema.json` lie. */
  readonly packageDir: string
}

/** What `sluice simulate` asks for: how the provider behaves, and where it listens. */
export interface SimulateRequest {
  readonly options: Omit<SimulatorOptions, 'nowMs'>
  /** 0: any free one. */
  readonly port: number
  readonly host: string
  /** A file that gets a line for each request; `null`: none. */
  readonly requestLog: string | null
}

export interface RunningSimulator {
  readonly url: string
  close(): Promise<void>
}

/** What `sluice migrate` did. */
export interface Migrated {
  /** What was looked at, for people; never an address, which may hold a password. */
  readonly what: string
  /** Steps that it took; 0: it was up to date. */
  readonly steps: number
}

/** What one command works with. */
export interface CommandContext {
  readonly deps: CliDeps
  readonly config: Config
  readonly output: Output
  readonly events: EventLines
  readonly interruption: Interruption
  /** `--json` was given: for commands whose stdout has forms of its own. */
  readonly json: boolean
  /** A command for the user to type next: `sluice resume job_…`, with `--data-dir` where it was given. */
  commandLine(args: string): string
  /** Opened at the first call, closed when the command ends. */
  engine(): Promise<Engine>
  /** Says something for people on stderr, and as a `note` where programs read. */
  note(message: string): void
}

/** The work of a command: resolves with the exit code. */
export type CommandWork = (context: CommandContext) => Promise<ExitCode>

/** How a command behaves towards its surroundings. */
export interface CommandTraits {
  /** What it prints on stdout for programs: event lines, also when it fails, or data in a form of its own. Default: `events`. */
  readonly stdout?: 'events' | 'data'
  /** It watches `interruption` and ends in order; the others end at once at the first signal, which is safe. Default: `false`. */
  readonly endsInOrder?: boolean
}

/** Runs a command's work with a context made from the global flags; used as the action of every command. */
export type Launch = (work: CommandWork, traits?: CommandTraits) => Promise<void>

import type { Engine } from '../engine.ts'
import { type ExitCode, SluiceError } from '../errors.ts'
import type { CliDeps, CommandContext, CommandTraits, CommandWork } from './context.ts'
import { errorText } from './error-text.ts'
import { createInterruption, isInterruption, signalExitCode } from './interruption.ts'
import { createEventLines } from './ndjson.ts'
import { createOutput, StdoutClosed } from './output.ts'

/** Flags that every command takes. */
export interface GlobalFlags {
  readonly dataDir?: string
  readonly json?: boolean
}

/** Makes the context of one command, does its work, tells errors and closes the engine. Throws only where the environment cannot be read. */
export async function perform(
  deps: CliDeps,
  flags: GlobalFlags,
  work: CommandWork,
  traits: CommandTraits,
): Promise<ExitCode> {
  const config = readConfig(deps, flags)
  const output = createOutput(deps, config.terminal, flags.json === true)
  const events = createEventLines(output, deps.runtime)
  const interruption = createInterruption(deps, traits.endsInOrder === true)
  let opened: Promise<Engine> | null = null
  const context: CommandContext = Object.freeze({
    deps,
    config,
    output,
    events,
    interruption,
    json: flags.json === true,
    commandLine: (args: string) => ['sluice', args, ...dataDirFlag(flags)].join(' '),
    engine: () => {
      opened ??= deps.openEngine(config)
      return opened
    },
    note: (message: string) => {
      output.say(message)
      events.note(message)
    },
  })
  const debug = config.logLevel === 'debug'
  const tell = (error: unknown): ExitCode => {
    if (error instanceof StdoutClosed) return 0
    const signal = interruption.received()
    if (signal !== null && isInterruption(error, interruption)) return signalExitCode(signal)
    const told = errorText(error, output.sayStyle, debug)
    output.say(told.text)
    if (traits.stdout !== 'data') events.error(error)
    return told.exitCode
  }
  try {
    const exitCode = await work(context).catch(tell)
    await closeEngine(opened)
    await events.flush()
    return exitCode
  } catch (error) {
    return tell(error)
  } finally {
    interruption.dispose()
  }
}

/** For commands that are shown to be typed next: they must reach the same data. */
function dataDirFlag({ dataDir }: GlobalFlags): string[] {
  if (dataDir === undefined) return []
  return ['--data-dir', /^[\w./~-]+$/.test(dataDir) ? dataDir : `'${dataDir.replaceAll("'", `'\\''`)}'`]
}

/** An engine that could not be opened has told so already. */
async function closeEngine(opened: Promise<Engine> | null): Promise<void> {
  const engine = await opened?.catch(() => null)
  await engine?.close()
}

function readConfig(deps: CliDeps, flags: GlobalFlags) {
  try {
    return deps.readConfig({ dataDir: flags.dataDir })
  } catch (error) {
    throw new SluiceError('usage', error instanceof Error ? error.message : String(error), {
      hint: 'Set the variable to one of these values, or unset it.',
      cause: error,
    })
  }
}

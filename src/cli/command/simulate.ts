import { resolve } from 'node:path'
import type { Command } from 'commander'
import { type ExitCode, SluiceError } from '../../errors.ts'
import { parseSimulatorFlags, SIMULATOR_FLAGS } from '../../simulator/flags.ts'
import { DEFAULT_SIMULATOR_PORT } from '../../simulator/server.ts'
import { wholeNumber } from '../arguments.ts'
import type { CommandContext, Launch } from '../context.ts'

interface SimulateFlags extends Readonly<Record<string, string | number | boolean | undefined>> {
  readonly port: number
  readonly host: string
  readonly requestLog?: string
}

/** `sluice simulate`: the provider simulator as a server, until it is interrupted. */
export function addSimulateCommand(program: Command, launch: Launch): void {
  const command = program
    .command('simulate')
    .description('serve a simulated provider, to practise on')
    .option('--port <port>', 'where to listen; 0 takes any free one', wholeNumber, DEFAULT_SIMULATOR_PORT)
    .option('--host <host>', 'address to listen on', '127.0.0.1')
    .option('--request-log <file>', 'write a line for each request')
  for (const { name, kind, help } of SIMULATOR_FLAGS)
    command.option(kind === 'switch' ? `--${name}` : `--${name} <${kind}>`, help)
  command.action((flags: SimulateFlags) => launch((context) => simulate(context, flags), { endsInOrder: true }))
}

async function simulate(context: CommandContext, flags: SimulateFlags): Promise<ExitCode> {
  const { port, host, requestLog, ...behaviour } = flags
  const parsed = parseSimulatorFlags(behaviour)
  if (!parsed.ok) throw new SluiceError('usage', parsed.errors.join('\n'), { hint: 'See `sluice simulate --help`.' })
  const starting = context.deps.startSimulator({
    options: parsed.options,
    port,
    host,
    requestLog: requestLog === undefined ? null : resolve(context.config.cwd, requestLog),
  })
  const server = await starting.catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'EADDRINUSE' ? portTaken(host, port) : error
  })
  context.events.line({ type: 'simulator', url: server.url })
  context.output.say(
    [
      `Simulated provider at ${server.url}: answers are made up, nothing is charged.`,
      `  model: { id: openai-compatible/any, base_url: ${server.url}/v1, api_key_env: … }`,
      '  Ctrl-C stops it.',
    ].join('\n'),
  )
  await untilAborted(context.interruption.stop)
  await server.close()
  return 0
}

function portTaken(host: string, port: number): SluiceError {
  return new SluiceError('usage', `${host}:${port} is taken by another program.`, {
    hint: 'Choose another port with --port; 0 takes any free one.',
  })
}

/** Resolves when the signal aborts. */
function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((done) => signal.addEventListener('abort', () => done(), { once: true }))
}

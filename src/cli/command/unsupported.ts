import type { Command } from 'commander'
import { SluiceError } from '../../errors.ts'
import type { Launch } from '../context.ts'

/** Commands of the contract that are still to be built: refused by name, never absent in silence. */
export const UNSUPPORTED_COMMANDS = ['serve'] as const

/** Registers the commands that are not built yet. */
export function addUnsupportedCommands(program: Command, launch: Launch): void {
  for (const name of UNSUPPORTED_COMMANDS) {
    program
      .command(name, { hidden: true })
      .argument('[anything...]')
      .allowUnknownOption()
      .action(() =>
        launch(async () => {
          throw notYetSupported(`sluice ${name}`)
        }),
      )
  }
  program.addHelpText('after', `\nNot yet supported: ${UNSUPPORTED_COMMANDS.join(', ')}.`)
}

/** The error for a part of the contract that is not built yet; exit code 2. */
export function notYetSupported(what: string, hint = 'It is planned; nothing was done.'): SluiceError {
  return new SluiceError('not_yet_supported', `\`${what}\` is not yet supported.`, { hint })
}

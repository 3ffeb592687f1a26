import { type Command, Option } from 'commander'
import type { SpecOverrides } from '../engine.ts'
import { keyValue, positiveInteger } from './arguments.ts'

/** Flags that win over what stands in the spec. */
export interface SpecFlags {
  readonly input?: string
  readonly model?: string
  readonly lane?: string
  readonly limit?: number
  readonly var?: Readonly<Record<string, string>>
}

/** Adds `--input`, `--model`, `--lane`, `--limit` and `--var`. */
export function addSpecFlags(command: Command): Command {
  return command
    .option('--input <file>', 'read this instead of input.source')
    .option('--model <model>', 'ask this model, e.g. openai/gpt-5-mini')
    .addOption(new Option('--lane <lane>', 'how requests travel').choices(['live', 'batch', 'auto']))
    .option('--limit <n>', 'take only the first n rows of the input', positiveInteger)
    .option('--var <name=value>', 'a value for vars; may be given several times', keyValue)
}

/** The flags as the engine takes them. */
export function specOverrides(flags: SpecFlags): SpecOverrides {
  return {
    ...(flags.input !== undefined && { input: flags.input }),
    ...(flags.model !== undefined && { model: flags.model }),
    ...(flags.lane !== undefined && { lane: flags.lane }),
    ...(flags.limit !== undefined && { limit: flags.limit }),
    ...(flags.var !== undefined && { vars: flags.var }),
  }
}

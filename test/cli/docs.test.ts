import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { EXIT_CODES } from '../../src/cli/exit-code.ts'
import { cli } from './harness.ts'

const page = readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8')

/** What the page says under the heading of each command. */
const sections = new Map(
  page
    .split(/^### (?=`sluice )/m)
    .slice(1)
    .map((text) => [/^`sluice ([a-z]+)/.exec(text)?.[1] as string, text.split(/^## /m)[0] as string] as const),
)

const helpOf = async (...argv: string[]) => {
  const { run, out } = cli({})
  await run(...argv, '--help')
  return out()
}

const commandsOf = async (...argv: string[]) =>
  [...((await helpOf(...argv)).split(/^Commands:\n/m)[1] ?? '').matchAll(/^ {2}([a-z]+)\b.*\n/gm)]
    .map((match) => match[1] as string)
    .filter((name) => name !== 'help')

/** What a command says of itself, and what those within it say. */
const helpWithin = async (name: string) => {
  const within = await Promise.all((await commandsOf(name)).map((inner) => helpOf(name, inner)))
  return [await helpOf(name), ...within].join('\n')
}

const flagsIn = (text: string) => new Set([...text.matchAll(/--[a-z][a-z0-9-]*/g)].map(([flag]) => flag))

const GLOBAL = ['--help', '--version', '--json', '--data-dir']
const OVERRIDES = ['--input', '--model', '--lane', '--limit', '--var']

describe('docs/cli.md', () => {
  it('has a section for every command, and for no other', async () => {
    expect(sections.size).toBeGreaterThan(24)
    expect([...sections.keys()].sort()).toEqual((await commandsOf()).sort())
  })

  it('names exactly the flags that each command takes', async () => {
    for (const [name, section] of sections) {
      const documented = flagsIn(section)
      if (section.includes('(#overrides)')) for (const flag of OVERRIDES) documented.add(flag)
      const help = await helpWithin(name)
      const taken = flagsIn([...help.matchAll(/^ {2}(-[^ ].*?)(?: {2}|$)/gm)].map((match) => match[1]).join('\n'))
      for (const flag of GLOBAL) {
        taken.delete(flag)
        documented.delete(flag)
      }
      expect([name, ...[...documented].sort()]).toEqual([name, ...[...taken].sort()])
    }
  })

  it('says every exit code as the code has it', () => {
    const rows = [...page.matchAll(/^\| (\d+) \| (.+) \|$/gm)].map(([, code, meaning]) => [code, meaning])
    expect(rows).toEqual(Object.entries(EXIT_CODES))
  })
})

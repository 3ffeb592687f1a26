import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { Finding } from '../../src/errors.ts'
import { formatPlace } from '../../src/errors.ts'
import { readSpec } from '../../src/spec/load.ts'
import type { SpecOverrides } from '../../src/spec/overrides.ts'
import type { SpecReading } from '../../src/spec/reading.ts'

/** A folder with these files, gone when the test is over. */
export function folderWith(files: Readonly<Record<string, string | Uint8Array>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-spec-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content)
  return folder
}

/** Reads a spec that is the only file of its folder, or one of `files`. */
export async function readText(
  text: string,
  options: {
    readonly name?: string
    readonly env?: Readonly<Record<string, string>>
    readonly overrides?: SpecOverrides
    readonly files?: Readonly<Record<string, string>>
  } = {},
): Promise<SpecReading> {
  const { name = 's.yaml', env = {}, overrides = {}, files = {} } = options
  const cwd = folderWith({ ...files, [name]: text })
  return readSpec(name, { cwd, env: (variable) => env[variable], overrides: { cwd, ...overrides } })
}

/** Findings as `check` prints them, one to a line. */
export function lines(findings: readonly Finding[]): string[] {
  return findings.map(({ severity, place, message, hint }) =>
    [severity, place === null ? '-' : formatPlace(place), message + (hint === null ? '' : ` | ${hint}`)].join(' '),
  )
}

/** The smallest spec there is. */
export const SMALLEST = `name: tiny
input: { source: rows.csv }
model: { id: simulator/small }
prompt: { user: "{{ text }}" }
`

import { SluiceError } from '../errors.ts'
import type { ServeConfig } from '../serve-config.ts'
import {
  filePositions,
  newReport,
  type Path,
  type Report,
  sortFindings,
  toPointer,
  withFlags,
} from '../spec/positions.ts'
import { readYaml, type SpecDocument } from '../spec/read-yaml.ts'
import { isRecord, withValue } from '../spec/record.ts'
import { fromText, type Shape, withoutNulls } from '../spec/shape.ts'
import { createShapeCheck } from '../spec/validate.ts'
import { checkServeFile } from './check.ts'
import { resolveServeFile } from './resolve.ts'
import { SERVE_SCHEMA, type ServeFile } from './schema.ts'
import { PLAIN_VALUES } from './variables.ts'

/** What the configuration of a server is read from; the later win: file, environment, flags. */
export interface ServeSources {
  /** The file's name, for messages, and its text (YAML or JSON); `null`: there is none. */
  readonly file: { readonly name: string; readonly text: string } | null
  readonly env: (name: string) => string | undefined
  readonly flags: {
    readonly host?: string | undefined
    readonly port?: number | undefined
    readonly work?: false | undefined
  }
}

const checkShape = createShapeCheck(SERVE_SCHEMA)

/**
 * Reads how `sluice serve` should behave, checks all of it, and freezes it. Throws SluiceError `config_invalid` with every error at once, each with
 * its line, its variable or its flag.
 */
export function readServeConfig({ file, env, flags }: ServeSources): ServeConfig {
  const document = file === null ? EMPTY : readYaml(file.text, file.name)
  refuse([...document.findings, ...rootFindings(document)])
  const given = new Map<string, string>()
  let value: unknown = document.value ?? {}
  const put = (path: Path, from: string, replacement: unknown) => {
    value = withValue(value, path, replacement)
    given.set(toPointer(path), from)
  }
  for (const { path, variable, shape } of PLAIN_VALUES) {
    const text = env(variable)
    if (text !== undefined) put(path, variable, plainValue(text, shape))
  }
  for (const [name, flag] of Object.entries(flags)) {
    if (flag !== undefined) put([name], flag === false ? `--no-${name}` : `--${name}`, flag)
  }
  const report = newReport(withFlags(document.positions, given))
  const checked = checkShape(withoutNulls(value, SERVE_SCHEMA as unknown as Shape), report) as ServeFile
  // What has not the right shape cannot be judged any further.
  if (report.findings.length === 0) checkServeFile(checked, env, report)
  refuse(report.findings)
  return resolveServeFile(checked)
}

/** A list stands in a variable with commas; a switch and a number as they are written. */
function plainValue(text: string, shape: Shape): unknown {
  if (shape.type === 'array') return text.split(',').map((part) => part.trim())
  return fromText(text, shape)
}

const EMPTY: SpecDocument = Object.freeze({ value: {}, positions: filePositions('environment'), findings: [] })

function rootFindings({ value, positions, findings }: SpecDocument): Report['findings'] {
  if (findings.length > 0 || value === null || value === undefined || isRecord(value)) return []
  const hint = 'A configuration is a mapping of keys: host, port, models, allow, …'
  return [{ severity: 'error', place: positions.value([]), message: 'the file holds no mapping', hint }]
}

function refuse(findings: Report['findings']): void {
  const errors = findings.filter(({ severity }) => severity === 'error')
  if (errors.length === 0) return
  const what = errors.length === 1 ? 'an error' : `${errors.length} errors`
  throw new SluiceError('config_invalid', `the configuration of the server has ${what}`, {
    findings: sortFindings(errors),
    place: errors[0]?.place ?? null,
  })
}

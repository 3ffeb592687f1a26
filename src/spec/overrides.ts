import { relative, resolve } from 'node:path'
import { didYouMean } from './nearest.ts'
import { type Report, toPointer } from './positions.ts'
import { isRecord, valueAt, withoutValue, withValue } from './record.ts'

/** What the command line says over the spec. */
export interface SpecOverrides {
  /** `--model`: address, key and price of the spec's model go where they belonged to another provider or model. */
  readonly model?: string
  /** `--lane`. */
  readonly lane?: string
  /** `--limit`. */
  readonly limit?: number
  /** `--var k=v`: only what the spec declares under `vars`, as its kind there. */
  readonly vars?: Readonly<Record<string, string>>
  /** `--input`: relative to `cwd`, or an address. */
  readonly input?: string
  /** `-o`: relative to `cwd`. */
  readonly output?: string
  /** Absolute; needed for `input` and `output`. */
  readonly cwd?: string
}

/** `value` with the overrides in it, and which flag gave which part (JSON pointer → flag). */
export function applyOverrides(
  value: unknown,
  overrides: SpecOverrides,
  baseDir: string,
  report: Report,
): { value: unknown; flags: ReadonlyMap<string, string> } {
  const flags = new Map<string, string>()
  let result = value
  const set = (path: readonly string[], flag: string, replacement: unknown) => {
    result = withValue(result, path, replacement)
    flags.set(toPointer(path), flag)
  }
  const fromSpec = (path: string) => relativeToSpec(path, baseDir, overrides.cwd ?? baseDir)
  if (overrides.model !== undefined) {
    result = withModelId(result, overrides.model)
    flags.set('/model/id', '--model')
  }
  if (overrides.lane !== undefined) set(['execution', 'lane'], '--lane', overrides.lane)
  if (overrides.limit !== undefined) set(['input', 'limit'], '--limit', overrides.limit)
  if (overrides.input !== undefined) {
    result = withoutValue(result, ['input', 'sql'])
    set(['input', 'source'], '--input', fromSpec(overrides.input))
  }
  if (overrides.output !== undefined) set(['write', 'path'], '-o', fromSpec(overrides.output))
  for (const [name, given] of Object.entries(overrides.vars ?? {})) {
    const declared = declaredVar(value, name, given, report)
    if (declared !== undefined) set(['vars', name], `--var ${name}`, declared)
  }
  return { value: result, flags }
}

/** Address and key variable stay where the provider does; a price only where the model does. */
function withModelId(value: unknown, id: string): unknown {
  const before = valueAt(value, ['model', 'id'])
  let result = withValue(value, ['model', 'id'], id)
  if (before === id) return result
  result = withoutValue(result, ['model', 'price'])
  if (typeof before === 'string' && before.split('/', 1)[0] === id.split('/', 1)[0]) return result
  return withoutValue(withoutValue(result, ['model', 'base_url']), ['model', 'api_key_env'])
}

/** A path of the command line as the spec would write it: the hash is then the same from wherever the command was given. */
function relativeToSpec(path: string, baseDir: string, cwd: string): string {
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(path)) return path
  const way = relative(baseDir, resolve(cwd, path))
  return way === '' ? '.' : way.replaceAll('\\', '/')
}

function declaredVar(value: unknown, name: string, given: string, report: Report): unknown {
  const place = { file: `--var ${name}`, line: null, column: null }
  const vars = valueAt(value, ['vars'])
  const known = isRecord(vars) ? vars : {}
  if (!Object.hasOwn(known, name)) {
    const hint = didYouMean(name, Object.keys(known)) ?? 'Declare it under vars: in the spec, with a default.'
    report.add('error', place, `the spec has no variable "${name}"`, hint)
    return undefined
  }
  const kind = typeof known[name]
  if (kind === 'number' && /^-?\d+(\.\d+)?$/.test(given)) return Number(given)
  if (kind === 'boolean' && /^(true|false)$/.test(given)) return given === 'true'
  if (kind === 'string' || kind === 'object') return given
  report.add('error', place, `vars.${name} is a ${kind} in the spec, and "${given}" is none`)
  return undefined
}

import { readFile, stat } from 'node:fs/promises'
import { extname, resolve } from 'node:path'
import type { JsonSchema } from '../domain/request.ts'
import type { Spec } from '../domain/spec.ts'
import { type Env, interpolate } from './interpolate.ts'
import { canonicalSchema } from './json-schema.ts'
import { namesOnly, outputSchema } from './output-schema.ts'
import { applyOverrides, type SpecOverrides } from './overrides.ts'
import { fromPointer, newReport, type Report, sortFindings, withFlags } from './positions.ts'
import { readJson, readYaml, rootFinding, type SpecDocument } from './read-yaml.ts'
import type { SpecReading } from './reading.ts'
import { isRecord, valueAt, withValue } from './record.ts'
import { refuseKeys } from './refuse-keys.ts'
import { resolveSpec } from './resolve.ts'
import type { Pruned } from './resolve-model.ts'
import { requireNotifyVariables } from './resolve-notify.ts'
import type { SpecFile } from './schema.ts'
import { fromText, shapeAt, withoutNulls } from './shape.ts'
import { schemaFromFields } from './short-form.ts'
import { SPEC_SHAPE, validateShape, withoutLater } from './validate.ts'

interface Surroundings {
  readonly env: Env
  readonly overrides?: SpecOverrides
  readonly baseDir: string
  readonly disk?: boolean
}

/**
 * A document as a spec: overrides, then the environment, then the shape, then the defaults. Every step reports what is wrong and goes on
 * without it, so that all errors come at once.
 */
export async function readSpecDocument(document: SpecDocument, surroundings: Surroundings): Promise<SpecReading> {
  const { baseDir } = surroundings
  const unreadable =
    document.findings.length > 0
      ? document.findings
      : [rootFinding(document) ?? newerFinding(document)].filter((each) => each !== null)
  if (unreadable.length > 0)
    return { findings: unreadable, draft: null, positions: document.positions, baseDir, notYetCount: 0 }

  const early = newReport(document.positions)
  const { value, flags } = applyOverrides(document.value, surroundings.overrides ?? {}, baseDir, early)
  const report = newReport(withFlags(document.positions, flags))
  const file = validateShape(fromEnvironment(value, surroundings.env, report), report) as Pruned<SpecFile>
  const onDisk = surroundings.disk !== false
  const schema = await readOutput(file.output, onDisk ? baseDir : null, report)
  requireOneKey(file, value, report)
  const draft = resolveSpec(file, schema, report)
  requireNotifyVariables(draft, surroundings.env, report)
  if (onDisk) await checkPaths(draft, baseDir, report)
  const findings = sortFindings([...early.findings, ...report.findings])
  return { findings, draft, positions: report.positions, baseDir, notYetCount: report.notYetCount }
}

/** A spec from the future is told so, and nothing else: what it says is not ours to judge. */
function newerFinding(document: SpecDocument): SpecReading['findings'][number] | null {
  const version = valueAt(document.value, ['version'])
  if (typeof version !== 'number' || version <= 1) return null
  const message = `spec version ${version} was written for a newer sluice`
  return {
    severity: 'error',
    place: document.positions.value(['version']),
    message,
    hint: 'Update sluice; this one reads version 1.',
  }
}

function fromEnvironment(value: unknown, env: Env, report: Report): unknown {
  const { value: filled, touched } = interpolate(refuseKeys(withoutLater(value, report), report), env, report)
  let typed = filled
  for (const pointer of touched) {
    const path = fromPointer(pointer)
    const shape = shapeAt(SPEC_SHAPE, path)
    const text = valueAt(typed, path)
    if (shape !== null && typeof text === 'string') typed = withValue(typed, path, fromText(text, shape))
  }
  return withoutNulls(typed, SPEC_SHAPE)
}

/** Keys of which a block needs at least one. */
const NEEDS_ONE = {
  input: { keys: ['source', 'sql'], hint: 'Name a file: source: data/tickets.csv.' },
  prompt: { keys: ['system', 'user'], hint: 'Say what the model should do with a row.' },
} as const

/** Reports the blocks that have none of the keys they need, unless something wrong in them was reported already. */
function requireOneKey(file: Pruned<SpecFile>, written: unknown, report: Report): void {
  for (const name of ['input', 'prompt'] as const) {
    const block = file[name] as Readonly<Record<string, unknown>> | undefined
    const { keys, hint } = NEEDS_ONE[name]
    if (block === undefined || keys.some((key) => block[key] !== undefined)) continue
    const lost = Object.entries(valueAt(written, [name]) ?? {}).some(
      ([key, value]) => value !== null && block[key] === undefined,
    )
    if (!lost) report.error([name], `${name} has neither ${keys.join(' nor ')}`, hint)
  }
}

async function readOutput(
  output: Pruned<SpecFile>['output'],
  baseDir: string | null,
  report: Report,
): Promise<JsonSchema | null> {
  const given = (['fields', 'schema', 'file'] as const).filter((key) => output?.[key] !== undefined)
  if (given.length > 1) {
    report.add(
      'error',
      report.positions.key(['output', given[1] ?? '']),
      `output has ${given.join(' and ')}`,
      'Keep one: fields (the short form), schema or file.',
    )
  }
  if (output?.fields !== undefined) {
    const schema = schemaFromFields(output.fields, ['output', 'fields'], report)
    if (Object.keys(output.fields).length === 0)
      report.error(['output', 'fields'], 'output.fields names no field', 'Write for example topic: string.')
    return canonicalSchema(schema) as JsonSchema
  }
  if (output?.schema !== undefined) return outputSchema(output.schema, ['output', 'schema'], report)
  if (output?.file === undefined) return null
  if (baseDir !== null) return readSchemaFile(output.file, baseDir, report)
  report.error(['output', 'file'], 'output.file names a file of the server', 'Put what is in it under output.schema.')
  return namesOnly(null)
}

/** The schema in another file; its errors stand at their places there. */
async function readSchemaFile(file: string, baseDir: string, report: Report): Promise<JsonSchema> {
  const path = resolve(baseDir, file)
  const text = await readFile(path, 'utf8').catch(() => null)
  if (text === null) {
    report.error(['output', 'file'], `output.file: there is no file ${file}`, 'It is relative to the spec.')
    return namesOnly(null)
  }
  const document = extname(file).toLowerCase() === '.json' ? readJson(text, file) : readYaml(text, file)
  const inFile = newReport(document.positions)
  const root = document.findings.length > 0 ? null : document.value
  const schema = isRecord(root) ? outputSchema(root, [], inFile) : namesOnly(null)
  if (document.findings.length === 0 && !isRecord(root)) {
    inFile.error([], 'the file holds no JSON Schema', 'Its root must be an object.')
  }
  for (const { severity, place, message, hint } of [...document.findings, ...inFile.findings]) {
    report.add(severity, place, message, hint)
  }
  return schema
}

/** What can be said of the paths by looking at the disk: a folder is no input yet, and results must not replace the input. */
async function checkPaths(draft: Spec, baseDir: string, report: Report): Promise<void> {
  const { source } = draft.input
  if (source === null) return
  const path = resolve(baseDir, source)
  if (draft.write !== null && resolve(baseDir, draft.write.path) === path) {
    report.error(['write', 'path'], 'write.path is the input itself', 'Choose another file for the results.')
  }
  const info = await stat(path).catch(() => null)
  if (info?.isDirectory() !== true) return
  report.notYet(
    report.positions.value(['input', 'source']),
    `input.source: ${source} is a folder, and folders of documents are not yet supported`,
    'Name a file, or a glob such as data/*.csv.',
  )
}

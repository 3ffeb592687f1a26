import { readdir, readFile, stat } from 'node:fs/promises'
import { basename, dirname, extname, isAbsolute, join, relative, resolve } from 'node:path'
import { type Finding, SluiceError } from '../errors.ts'
import { canonicalJson, specHash } from './canonical.ts'
import type { Env } from './interpolate.ts'
import { loadModule } from './load-module.ts'
import { didYouMean } from './nearest.ts'
import type { SpecOverrides } from './overrides.ts'
import { filePositions, newReport, sortFindings } from './positions.ts'
import { readSpecDocument } from './read-document.ts'
import { readJson, readYaml, type SpecDocument } from './read-yaml.ts'
import type { LoadedSpec, SpecReading } from './reading.ts'
import { plainSpec } from './standard-schema.ts'

export interface LoadOptions {
  /** Reads the environment for `${NAME}`. */
  readonly env: Env
  readonly overrides?: SpecOverrides
  /** What the path is relative to, and how files are named in messages; absolute. Default: the spec's folder. */
  readonly cwd?: string
  /** `false`: it comes over the network, and no file of this machine is looked at for its sake. */
  readonly disk?: boolean
}

/** Reads a spec file: YAML, JSON, or a module that exports one. Throws nothing for what is wrong with the spec. */
export async function readSpec(path: string, options: LoadOptions): Promise<SpecReading> {
  const absolute = resolve(options.cwd ?? '.', path)
  const baseDir = dirname(absolute)
  const file = isAbsolute(path) && options.cwd !== undefined ? shortest(relative(options.cwd, path), path) : path
  try {
    const document = await readFileAs(absolute, file)
    return await readSpecDocument(document, { ...options, baseDir })
  } catch (error) {
    if (!(error instanceof SluiceError)) throw error
    const finding: Finding = { severity: 'error', place: error.place, message: error.message, hint: error.hint }
    return { findings: [finding], draft: null, positions: filePositions(file), baseDir, notYetCount: 0 }
  }
}

/**
 * Reads a spec given as an object, as a program or an HTTP request gives it; Standard Schemas are welcome.
 * `name` stands for it in messages; `baseDir` is what its paths are relative to.
 */
export async function readSpecObject(
  value: unknown,
  name: string,
  baseDir: string,
  options: LoadOptions,
): Promise<SpecReading> {
  return readSpecDocument(objectDocument(value, name), { ...options, baseDir })
}

/** Reads and resolves a spec file. Throws SluiceError `spec_invalid` or `not_yet_supported` with all findings. */
export async function loadSpec(path: string, options: LoadOptions): Promise<LoadedSpec> {
  return loaded(await readSpec(path, options))
}

/** The spec of a reading without errors. Throws SluiceError `spec_invalid`, or `not_yet_supported` where that is all that is wrong. */
export function loaded(reading: SpecReading): LoadedSpec {
  const { draft, positions, baseDir } = reading
  const errors = reading.findings.filter((finding) => finding.severity === 'error')
  const [first] = errors
  if (first !== undefined || draft === null) {
    const isLater = errors.length > 0 && reading.notYetCount === errors.length
    const message = errors.length === 1 ? (first?.message ?? '') : `the spec has ${errors.length} errors`
    throw new SluiceError(isLater ? 'not_yet_supported' : 'spec_invalid', message, {
      place: first?.place ?? null,
      findings: errors,
      ...(first?.hint && errors.length === 1 && { hint: first.hint }),
    })
  }
  const canonical = canonicalJson(draft)
  const notes = reading.findings.filter((finding) => finding.severity === 'warning')
  return Object.freeze({ spec: draft, hash: specHash(canonical), canonicalJson: canonical, baseDir, notes, positions })
}

const MODULES = ['.ts', '.mts', '.js', '.mjs']
const TEXTS = ['.yaml', '.yml', '.json']

async function readFileAs(path: string, file: string): Promise<SpecDocument> {
  const place = { file, line: null, column: null }
  const kind = extname(path).toLowerCase()
  const info = await stat(path).catch(() => null)
  if (info === null) throw await missing(path, file)
  if (info.isDirectory()) {
    const specs = await specFilesIn(path)
    const hint =
      specs.length > 0
        ? `Name the file in it: ${specs.map((name) => join(file, name)).join(', ')}.`
        : 'There is no spec in it: `sluice init` writes one.'
    throw new SluiceError('spec_invalid', `${file} is a folder, not a spec`, { hint })
  }
  if (MODULES.includes(kind)) return objectDocument(await loadModule(path, file), file)
  if (!TEXTS.includes(kind)) {
    throw new SluiceError('spec_invalid', `"${kind || file}" is no kind of spec`, {
      place,
      hint: `A spec ends in ${[...TEXTS, ...MODULES].join(', ')}.`,
    })
  }
  const text = decode(await readFile(path))
  if (text === null)
    throw new SluiceError('spec_invalid', 'the file is not UTF-8 text', { place, hint: 'Save it as UTF-8.' })
  return kind === '.json' ? readJson(text, file) : readYaml(text, file)
}

/** Bytes as text, or `null` when they are no UTF-8; a byte order mark is left out. */
function decode(bytes: Uint8Array): string | null {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    return text.includes('\0') ? null : text
  } catch {
    return null
  }
}

function objectDocument(value: unknown, file: string): SpecDocument {
  const report = newReport(filePositions(file))
  return { value: plainSpec(value, report), positions: report.positions, findings: sortFindings(report.findings) }
}

async function missing(path: string, file: string): Promise<SluiceError> {
  const near = didYouMean(basename(path), await specFilesIn(dirname(path)))
  const hint = near ?? '`sluice init` writes a spec to begin with.'
  return new SluiceError('spec_invalid', `there is no file ${file}`, { hint })
}

async function specFilesIn(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => [])
  const isSpec = (name: string) => /\.ya?ml$|\.spec\.(json|m?[jt]s)$|^spec\.(json|m?[jt]s)$/.test(name)
  return names.filter(isSpec).sort()
}

function shortest(a: string, b: string): string {
  return a.length < b.length ? a : b
}

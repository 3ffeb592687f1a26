import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { Blob } from '../../src/blob/blob.ts'
import { openFileBlob } from '../../src/blob/file.ts'
import type { Row } from '../../src/domain/row.ts'
import type { InputSpec, Spec } from '../../src/domain/spec.ts'
import { readChunk } from '../../src/intake/read-chunk.ts'
import { type IntakeOptions, type IntakeResult, runIntake } from '../../src/intake/run-intake.ts'
import { type MemoryManifest, memoryManifest } from './memory-manifest.ts'

export const NO_INPUT: InputSpec = {
  source: null,
  sql: null,
  format: null,
  key: null,
  where: null,
  limit: null,
  csv: { delimiter: null, header: null, encoding: null },
}

export type Asked = Partial<Omit<InputSpec, 'csv'>> & {
  readonly csv?: Partial<InputSpec['csv']> | undefined
  readonly chunkRows?: number
}

/** A folder with a blob store in it, gone after the test. */
export interface Workplace {
  readonly dir: string
  readonly blob: Blob
  /** Reads an input as one job; with the manifest of an earlier try it goes on there. */
  intake(asked: Asked, more?: Partial<IntakeOptions> & { manifest?: MemoryManifest }): Promise<Taken>
}

export interface Taken extends IntakeResult {
  readonly manifest: MemoryManifest
  /** All rows, read back chunk by chunk. */
  readonly values: readonly Row[]
}

export function inputOf(asked: Asked): InputSpec {
  const { chunkRows: _, csv, ...input } = asked
  return { ...NO_INPUT, ...input, csv: { ...NO_INPUT.csv, ...csv } }
}

export function specOf(asked: Asked): Spec {
  return { input: inputOf(asked), execution: { chunkRows: asked.chunkRows ?? null } } as unknown as Spec
}

export function workplace(): Workplace {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-intake-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  const blob = openFileBlob({ dir: join(dir, 'blobs') })

  async function intake(
    asked: Asked,
    more: Partial<IntakeOptions> & { manifest?: MemoryManifest } = {},
  ): Promise<Taken> {
    const { manifest = memoryManifest(), ...options } = more
    const result = await runIntake({
      spec: specOf(asked),
      baseDir: dir,
      env: () => undefined,
      selection: null,
      job: { id: 'job_1', jobNo: 1, input: null, inputHash: null, rowsTotal: 0 },
      blob,
      chunks: manifest,
      runtime: { elapsed: () => 0 },
      signal: new AbortController().signal,
      ...options,
    })
    const key = asked.key == null ? null : result.columns.indexOf(asked.key)
    const values: Row[] = []
    for (const chunk of manifest.chunks()) values.push(...(await readChunk(blob, chunk, result.columns, key)))
    return { ...result, manifest, values }
  }
  return { dir, blob, intake }
}

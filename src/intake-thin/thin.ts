import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { parse } from 'csv-parse/sync'
import { sha256 } from '../runtime.ts'
export async function describeInput({ input, baseDir }: any): Promise<any> {
  const path = resolve(baseDir, input.source)
  const records = parse(readFileSync(path), { relax_column_count: false, bom: true }) as string[][]
  return { columns: records[0], format: 'csv', files: [path], bytesTotal: 0, rowsTotal: records.length - 1, notes: [] }
}
export async function runIntake({ spec, baseDir, selection, job, blob, chunks }: any): Promise<any> {
  const path = resolve(baseDir, spec.input.source)
  const records = parse(readFileSync(path), { bom: true }) as string[][]
  const columns = records[0] as string[]
  let rows = records.slice(1)
  if (selection?.kind === 'first') rows = rows.slice(0, selection.n)
  const key = `jobs/${job.id}/snapshot/000000.ndjson`
  const lines = rows.map((row) => Buffer.from(`${JSON.stringify(row)}\n`))
  const size = spec.execution.chunkRows ?? Math.min(200, Math.max(10, Math.floor(rows.length / 20)))
  const list: any[] = []
  let offset = 0
  for (let first = 0; first < rows.length; first += size) {
    const bytes = Buffer.concat(lines.slice(first, first + size))
    list.push({ chunkNo: list.length, segmentKey: key, byteOffset: offset, byteLength: bytes.length, sha256: sha256(bytes), firstRow: first, rows: Math.min(size, rows.length - first) })
    offset += bytes.length
  }
  const all = Buffer.concat(lines)
  await blob.put(key, all)
  await chunks.appendSegment({ jobNo: job.jobNo, segmentNo: 0, key, bytes: all.length, sha256: sha256(all), chunks: list, unreadable: [], position: '{}' })
  return { columns, rows: rows.length, inputHash: sha256(all), input: { format: 'csv', files: 1, bytes: all.length, columns, notes: [], unreadable: 0 } }
}
export async function readChunk(blob: any, chunk: any, _columns: readonly string[], key: number | null): Promise<any> {
  const bytes = await blob.read(chunk.segmentKey, { offset: chunk.byteOffset, length: chunk.byteLength })
  return bytes.toString('utf8').split('\n').filter((line: string) => line !== '').map((line: string, at: number) => {
    const values = JSON.parse(line)
    const index = chunk.firstRow + at
    return { index, id: key === null ? String(index) : String(values[key]), values }
  })
}

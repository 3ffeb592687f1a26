import type { Chunk } from '../../src/domain/chunk.ts'
import { NO_COUNTS } from '../../src/domain/job.ts'
import type { UnreadableLine } from '../../src/domain/row.ts'
import type { Chunks, IntakeProgress, NewSegment } from '../../src/store/store.ts'

/** The manifest in memory, as far as intake writes it; it refuses what a store would refuse. */
export interface MemoryManifest extends Pick<Chunks, 'appendSegment' | 'intakeProgress'> {
  readonly segments: NewSegment[]
  chunks(): readonly Chunk[]
  unreadable(): readonly UnreadableLine[]
}

/** `onAppend` is called before a segment is taken: what it throws is as if the process had died there. */
export function memoryManifest(onAppend: (segment: NewSegment) => void = () => undefined): MemoryManifest {
  const segments: NewSegment[] = []
  const chunks = (): Chunk[] =>
    segments.flatMap((segment) =>
      segment.chunks.map((chunk) => ({
        jobNo: segment.jobNo,
        ...chunk,
        state: 'ready',
        epoch: 0,
        owner: null,
        deaths: 0,
        round: 0,
        doneNo: null,
        counters: NO_COUNTS,
      })),
    )
  const progress = (): IntakeProgress => ({
    segments: segments.length,
    rows: chunks().reduce((sum, { rows }) => sum + rows, 0),
    unreadable: segments.reduce((sum, { unreadable }) => sum + unreadable.length, 0),
    position: segments.at(-1)?.position ?? null,
    done: false,
  })
  return {
    segments,
    chunks,
    unreadable: () => segments.flatMap((segment) => segment.unreadable),
    async appendSegment(segment) {
      onAppend(segment)
      const { rows } = progress()
      if (segment.segmentNo !== segments.length)
        throw new Error(`segment ${segment.segmentNo} after ${segments.length}`)
      if (segment.chunks[0]?.firstRow !== rows) throw new Error(`row ${segment.chunks[0]?.firstRow} after ${rows}`)
      if (segment.chunks[0]?.chunkNo !== chunks().length) throw new Error('chunk numbers must go on')
      segments.push(segment)
    },
    intakeProgress: async () => progress(),
  }
}

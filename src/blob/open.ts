import { fileURLToPath } from 'node:url'
import { SluiceError } from '../errors.ts'
import type { Blob } from './blob.ts'
import { openFileBlob } from './file.ts'
import { openS3Blob } from './s3.ts'
import type { Env } from './s3-access.ts'

/** Blobs, and what lets go of what they hold open. */
export interface OpenedBlob {
  readonly blob: Blob
  close(): void
}

/**
 * Opens blobs by their address: `s3://bucket/prefix?…`, or `file:///path` for a directory that all machines have mounted. Nothing is touched before
 * the first use. Throws SluiceError `usage`, naming what holds the address, where it is neither.
 */
export function openBlob(url: string, env: Env, name = 'SLUICE_BLOB_URL'): OpenedBlob {
  if (url.startsWith('s3://')) {
    const blob = openS3Blob({ url, env, name })
    return Object.freeze({ blob, close: blob.close })
  }
  return Object.freeze({ blob: openFileBlob({ dir: directoryOf(url, name) }), close: () => undefined })
}

function directoryOf(url: string, name: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : null
  if (parsed?.protocol !== 'file:' || parsed.host !== '' || parsed.search !== '' || parsed.hash !== '') {
    throw new SluiceError('usage', `${name} is no s3:// and no file:/// address`, {
      hint: 'Expected s3://bucket/prefix, or file:///path for a directory that all machines have mounted.',
    })
  }
  return fileURLToPath(parsed)
}

import type { Job } from '../domain/job.ts'
import { SluiceError } from '../errors.ts'
import type { FoundFile } from '../intake/input-file.ts'
import { storedFile } from '../intake/stored-file.ts'
import type { EngineDeps } from './engine-deps.ts'
import type { Submission } from './submission.ts'

/** The uploaded file that a job reads in place of what its spec names; `undefined`: none. Throws `input_missing` where it is gone or not whole. */
export async function uploadedFiles(
  { store, blob }: Pick<EngineDeps, 'store' | 'blob'>,
  { tenantNo }: Pick<Job, 'tenantNo'>,
  { fileId, unpackedBytes }: Pick<Submission, 'fileId' | 'unpackedBytes'>,
): Promise<readonly FoundFile[] | undefined> {
  if (fileId === undefined) return undefined
  const file = await store.files.get(tenantNo, fileId)
  if (file?.state !== 'ready') {
    const what = file === null ? 'was deleted' : 'is not whole'
    throw new SluiceError('input_missing', `the uploaded file ${fileId} ${what}`, {
      hint: 'Create a job anew, and upload it again.',
    })
  }
  return [{ ...storedFile(file, await store.files.parts(tenantNo, fileId), blob), unpackedBytes }]
}

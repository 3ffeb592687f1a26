import type { Stats } from 'node:fs'
import { glob, readdir, stat } from 'node:fs/promises'
import { basename, dirname, relative, resolve, sep } from 'node:path'
import { SluiceError } from '../errors.ts'
import { didYouMean } from '../spec/nearest.ts'
import type { FoundFile } from './input-file.ts'
import { localFile } from './local-file.ts'

/**
 * The files that `source` names, relative to `baseDir`: one path, or a glob, sorted by path. A path that exists is never taken for a glob.
 * Throws `input_missing` with the nearest name, and `input_invalid` for what is no file.
 */
export async function findFiles(source: string, baseDir: string): Promise<readonly FoundFile[]> {
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(source)) {
    throw new SluiceError('not_yet_supported', `input.source ${source}: only files and s3:// can be read so far`)
  }
  const path = resolve(baseDir, source)
  const found = await look(path)
  if (found !== null) return [toFile(path, baseDir, found)]
  if (!/[*?[{]/.test(source)) throw await missing(source, path)

  const paths: string[] = []
  for await (const match of glob(source, { cwd: baseDir })) paths.push(resolve(baseDir, match))
  const files: FoundFile[] = []
  for (const match of [...new Set(paths)].sort((a, b) => (a < b ? -1 : 1))) {
    const stats = await look(match)
    if (stats !== null && !stats.isDirectory()) files.push(toFile(match, baseDir, stats))
  }
  if (files.length === 0) throw new SluiceError('input_missing', `input.source ${source} matches no file in ${baseDir}`)
  return files
}

async function look(path: string): Promise<Stats | null> {
  try {
    return await stat(path)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return null
    throw new SluiceError('input_missing', `${path} cannot be opened: ${message}`, { cause: error })
  }
}

function toFile(path: string, baseDir: string, stats: Stats): FoundFile {
  const name = displayName(path, baseDir)
  if (stats.isDirectory()) {
    throw new SluiceError('input_invalid', `input.source ${name} is a folder`, {
      hint: `Name files: a path, or a glob such as ${name.replace(/\/$/, '')}/*.csv. Folders of documents are not yet supported.`,
    })
  }
  if (!stats.isFile()) throw new SluiceError('input_invalid', `input.source ${name} is no regular file`)
  return localFile(path, name, stats)
}

function displayName(path: string, baseDir: string): string {
  const below = relative(baseDir, path)
  return below === '' || below.startsWith('..') ? path : below.split(sep).join('/')
}

async function missing(source: string, path: string): Promise<SluiceError> {
  const siblings = await readdir(dirname(path)).catch(() => null)
  if (siblings === null) {
    return new SluiceError('input_missing', `input.source ${source}: there is no folder ${dirname(path)}`)
  }
  const near = didYouMean(basename(path), siblings)
  return new SluiceError(
    'input_missing',
    `input.source ${source}: there is no such file`,
    near === null ? {} : { hint: `${near[0]?.toUpperCase()}${near.slice(1)}` },
  )
}

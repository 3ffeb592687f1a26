import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'

/** A real S3 server: Ceph's object gateway, over a cluster of one monitor and one store in memory. */
export interface Radosgw {
  readonly endpoint: string
  readonly bucket: string
  /** The variables that make it the storage of a process. */
  readonly env: Readonly<Record<string, string>>
  stop(): Promise<void>
}

const KEYS = { accessKeyId: 'RADOSGWTESTKEY', secretAccessKey: 'secret-of-the-test-gateway' }
const NEEDED = ['radosgw', 'radosgw-admin', 'ceph', 'ceph-mon', 'ceph-osd', 'monmaptool', 'setpriv']

const MOST_RESTARTS = 10

/** Longest that it may take to come up; about 12 s on two cores. */
export const START_MS = 90_000

/** What of it is not installed; empty: all is there. */
export function missingForRadosgw(): readonly string[] {
  return NEEDED.filter((name) => {
    try {
      execFileSync('sh', ['-c', `command -v ${name}`], { stdio: 'ignore' })
      return false
    } catch {
      return true
    }
  })
}

/** Starts it on free ports of the loopback, in a folder of its own, with one empty bucket. It ends with this process at the latest. */
export async function startRadosgw(): Promise<Radosgw> {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-rgw-'))
  const children: ChildProcess[] = []
  const stop = async () => {
    await Promise.all(children.map(endOf))
    rmSync(dir, { recursive: true, force: true, maxRetries: 10 })
  }
  try {
    const [monitorPort, port] = [await freePort(), await freePort()]
    await startCluster(dir, monitorPort, children)
    children.push(daemon(dir, 'radosgw', '-n', 'client.rgw', '-f', `--rgw_frontends=beast endpoint=127.0.0.1:${port}`))
    const endpoint = `http://127.0.0.1:${port}`
    await answering(dir, endpoint, children)
    const { accessKeyId, secretAccessKey } = KEYS
    const user = [
      '--uid',
      'test',
      '--display-name',
      'test',
      '--access-key',
      accessKeyId,
      '--secret-key',
      secretAccessKey,
    ]
    await run(dir, 'radosgw-admin', '-n', 'client.rgw', 'user', 'create', ...user)
    const client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials: { ...KEYS } })
    await client.send(new CreateBucketCommand({ Bucket: 'test-bucket' }))
    client.destroy()
    const env = { SLUICE_S3_ENDPOINT: endpoint, AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey }
    return { endpoint, bucket: 'test-bucket', env, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function startCluster(dir: string, port: number, children: ChildProcess[]): Promise<void> {
  const [cluster, store] = [randomUUID(), randomUUID()]
  for (const name of ['mon', 'osd', 'rgw']) mkdirSync(join(dir, name))
  writeFileSync(join(dir, 'keyring'), '')
  writeFileSync(join(dir, 'ceph.conf'), configuration(dir, cluster, port))
  const map = join(dir, 'monmap')
  await promisify(execFile)('monmaptool', ['--create', '--addv', 'a', `[v1:127.0.0.1:${port}]`, '--fsid', cluster, map])
  await run(dir, 'ceph-mon', '--mkfs', '-i', 'a', '--monmap', map)
  children.push(daemon(dir, 'ceph-mon', '-i', 'a', '-f'))
  await run(dir, 'ceph', 'osd', 'new', store)
  await run(dir, 'ceph-osd', '-i', '0', '--mkfs', '--osd-uuid', store)
  children.push(daemon(dir, 'ceph-osd', '-i', '0', '-f'))
}

/** No authentication inside of the cluster; with that, version 16 of the gateway speaks the first messenger only. */
function configuration(dir: string, cluster: string, port: number): string {
  return `[global]
fsid = ${cluster}
mon_host = [v1:127.0.0.1:${port}]
ms_bind_msgr2 = false
public_addr = 127.0.0.1
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
osd_objectstore = memstore
memstore_device_bytes = 1073741824
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 4
osd_pool_default_pgp_num = 4
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 2000
mon_data = ${dir}/mon
osd_data = ${dir}/osd
rgw_data = ${dir}/rgw
run_dir = ${dir}
admin_socket =
pid_file =
log_file = ${dir}/$name.log
mon_cluster_log_file = ${dir}/cluster.log
crash_dir = ${dir}
keyring = ${dir}/keyring
`
}

async function run(dir: string, command: string, ...args: readonly string[]): Promise<void> {
  const timeout = START_MS / 2
  await promisify(execFile)(command, ['--conf', join(dir, 'ceph.conf'), ...args], { cwd: dir, timeout })
}

/** A process that the kernel ends with this one. */
function daemon(dir: string, command: string, ...args: readonly string[]): ChildProcess {
  const argv = ['--pdeathsig', 'KILL', command, '--conf', join(dir, 'ceph.conf'), ...args]
  const errors = openSync(join(dir, `${command}.err`), 'a')
  try {
    return spawn('setpriv', argv, { cwd: dir, stdio: ['ignore', 'ignore', errors] })
  } finally {
    closeSync(errors)
  }
}

async function endOf(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  child.kill('SIGKILL')
  await ended
}

/** Resolves when the gateway answers. A store that asks the monitor too early is told "wrong fsid" and ends: it is started again. */
async function answering(dir: string, endpoint: string, children: ChildProcess[]): Promise<void> {
  const end = performance.now() + START_MS
  for (let restarts = 0; performance.now() < end; await sleep(100)) {
    const at = children.findIndex((child) => child.exitCode !== null)
    if (at >= 0) {
      const [, , , command = '', , , ...args] = children[at]?.spawnargs ?? []
      if (restarts++ === MOST_RESTARTS)
        throw new Error(`${command}: ${readFileSync(join(dir, `${command}.err`), 'utf8')}`)
      children[at] = daemon(dir, command, ...args)
    }
    const answered = await fetch(endpoint).catch(() => null)
    await answered?.body?.cancel()
    if (answered?.ok) return
  }
  throw new Error(`radosgw did not answer within ${START_MS} ms`)
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

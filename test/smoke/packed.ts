import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join, resolve } from 'node:path'

/**
 * Installs the packed package as a stranger would, in an empty folder, and runs the main job with what was installed:
 * `node test/smoke/packed.ts [tarball]`. Without a tarball it packs what `npm run build` has left in `dist/`.
 */

const folder = mkdtempSync(join(tmpdir(), 'sluice-smoke-'))
const installed = join(folder, 'node_modules', 'sluice')
const env = strangersEnvironment()

try {
  install(process.argv[2] ? resolve(process.argv[2]) : pack())
  installsNothingByScript()
  offersItsLibrary()
  runsTheMainJob()
  process.stdout.write('smoke: the packed package installs, imports and runs the main job\n')
} finally {
  rmSync(folder, { recursive: true, force: true })
}

function pack(): string {
  const [packed] = JSON.parse(
    execFileSync('npm', ['pack', '--json', '--pack-destination', folder], { encoding: 'utf8', env }),
  )
  return join(folder, packed.filename)
}

function install(tarball: string): void {
  writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }\n')
  execFileSync('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', tarball], {
    cwd: folder,
    env,
    stdio: 'inherit',
  })
}

function installsNothingByScript(): void {
  const { scripts = {} } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'))
  for (const name of ['preinstall', 'install', 'postinstall'])
    assert.equal(scripts[name], undefined, `a user would run ${name}`)
}

function offersItsLibrary(): void {
  const script =
    "const { defineSpec, createEngine } = await import('sluice'); console.log(typeof defineSpec, typeof createEngine)"
  const told = execFileSync(process.execPath, ['--input-type=module', '--eval', script], {
    cwd: folder,
    env,
    encoding: 'utf8',
  })
  assert.equal(told.trim(), 'function function')
}

function runsTheMainJob(): void {
  cpSync(join(installed, 'examples', 'tickets'), join(folder, 'tickets'), { recursive: true })
  const summary = lastLine(sluice('run', 'tickets/tickets.yaml'))
  assert.equal(summary.type, 'summary')
  assert.equal(summary.state, 'completed')
  assert.ok(summary.rows.total > 0, 'the example has rows')
  assert.equal(summary.rows.succeeded + summary.rows.failed, summary.rows.total, 'every row has an outcome')

  const out = join(folder, 'labels.jsonl')
  sluice('results', summary.job, '--format', 'jsonl', '-o', out)
  const rows = readFileSync(out, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  assert.deepEqual(
    rows.map((row) => row._row_index),
    Array.from({ length: summary.rows.total }, (_, index) => index),
    'every row is in the results, in order',
  )
  assert.equal(rows.filter((row) => row._status === 'ok').length, summary.rows.succeeded)
}

function sluice(...args: readonly string[]): string {
  const bin = join(folder, 'node_modules', '.bin', 'sluice')
  const run = spawnSync(bin, args, {
    cwd: folder,
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: 120_000,
  })
  assert.equal(run.status, 0, `sluice ${args.join(' ')} ended with ${run.status ?? run.signal ?? run.error}`)
  return run.stdout
}

function lastLine(stdout: string) {
  return JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '')
}

/** This Node first on the path, and nothing of the npm that may have started us. */
function strangersEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !/^(npm_|SLUICE_|NODE_OPTIONS$)/i.test(name))
  return { ...Object.fromEntries(kept), PATH: [dirname(process.execPath), process.env.PATH].join(delimiter) }
}

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { readConfig } from '../config.ts'
import { systemRuntime } from '../runtime.ts'
import { keepHeapSmall } from './heap.ts'
import type { SignalName, SignalSource } from './interruption.ts'
import { createProgram } from './program.ts'

keepHeapSmall()

/** The same from src/cli and from dist/cli. */
const packageDir = fileURLToPath(new URL('../..', import.meta.url))
const { version } = JSON.parse(readFileSync(`${packageDir}/package.json`, 'utf8')) as { version: string }
const runtime = systemRuntime()

/** Without a listener, a signal ends the process as it always does. */
const signals: SignalSource = {
  subscribe: (listener) => {
    const names: SignalName[] = ['SIGINT', 'SIGTERM', 'SIGHUP']
    const handlers = names.map((name) => [name, () => listener(name)] as const)
    for (const [name, handler] of handlers) process.on(name, handler)
    return () => {
      for (const [name, handler] of handlers) process.off(name, handler)
    }
  },
}

/** As with nginx and others, the signals of the terminal that a service has no other use for. */
const loadSignals = (listener: (change: 'more' | 'less') => void) => {
  const [more, less] = [() => listener('more'), () => listener('less')]
  process.on('SIGTTIN', more)
  process.on('SIGTTOU', less)
  return () => {
    process.off('SIGTTIN', more)
    process.off('SIGTTOU', less)
  }
}

const program = createProgram({
  // Half a second of loading that `--help` and a mistyped command need not wait for.
  openEngine: async (config) => (await import('../compose.ts')).openEngine(config, runtime, version),
  openService: async (config, allowance) =>
    (await import('../compose.ts')).openService(config, allowance, runtime, version),
  startSimulator: async (request) => (await import('../compose.ts')).startSimulator(request, runtime),
  readConfig,
  stdout: process.stdout,
  stderr: process.stderr,
  signals,
  loadSignals,
  migrate: async (config) => (await import('../compose.ts')).migrateState(config, runtime, version),
  exit: (code) => process.exit(code),
  runtime,
  version,
  packageDir,
})

process.exitCode = await program.run(process.argv.slice(2))

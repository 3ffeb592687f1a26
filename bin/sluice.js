#!/usr/bin/env node
import { existsSync } from 'node:fs'
import module from 'node:module'

/** The oldest Node with a stable `node:sqlite` and type stripping: `engines` in package.json says the same. */
const oldest = [24, 15]

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
const source = new URL('../src/cli/main.ts', import.meta.url)
const isClone = existsSync(source)

if (major < oldest[0] || (major === oldest[0] && minor < oldest[1])) {
  const cure = isClone
    ? 'run `npm ci`, then `npx sluice`: the clone brings its own Node'
    : 'install it from https://nodejs.org'
  process.stderr.write(`sluice needs Node ${oldest.join('.')} or newer and this is ${process.version}; ${cure}.\n`)
  process.exitCode = 1
} else {
  // Half of a short command's time is parsing: it is done once per machine.
  module.enableCompileCache()
  await import(isClone ? source.href : new URL('../dist/cli/main.js', import.meta.url).href)
}

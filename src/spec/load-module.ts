import { registerHooks } from 'node:module'
import { pathToFileURL } from 'node:url'
import { SluiceError } from '../errors.ts'

/** Our own entry point: source in a clone, built in a package. */
const SLUICE = new URL(`../index${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url).href

let hooked = false

/** Lets a spec import `sluice` where no such package is installed beside it, as with `npx sluice`. */
function resolveOurselves(): void {
  if (hooked) return
  hooked = true
  registerHooks({
    resolve(specifier, context, next) {
      if (specifier !== 'sluice') return next(specifier, context)
      try {
        return next(specifier, context)
      } catch {
        return { url: SLUICE, shortCircuit: true }
      }
    },
  })
}

/**
 * Runs a TypeScript or JavaScript module and returns its default export, which should be a spec. The module is trusted as the shell is.
 * Throws SluiceError `spec_invalid` when it cannot be loaded, or exports no default.
 */
export async function loadModule(path: string, file: string): Promise<unknown> {
  resolveOurselves()
  const place = { file, line: null, column: null }
  const loaded = await importModule(path, (error) => {
    const message = error instanceof Error ? (error.message.split('\n', 1)[0] ?? error.message) : String(error)
    return new SluiceError('spec_invalid', `the module cannot be loaded: ${message}`, {
      place,
      hint: 'Run it with node to see more.',
      cause: error,
    })
  })
  if (loaded.default === undefined) {
    throw new SluiceError('spec_invalid', 'the module has no default export', {
      place,
      hint: 'Write: export default defineSpec({ … })',
    })
  }
  return loaded.default
}

async function importModule(
  path: string,
  wrap: (error: unknown) => SluiceError,
): Promise<{ readonly default?: unknown }> {
  try {
    return (await import(pathToFileURL(path).href)) as { readonly default?: unknown }
  } catch (error) {
    throw wrap(error)
  }
}

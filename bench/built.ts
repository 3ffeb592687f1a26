import { existsSync } from 'node:fs'

type Built = Pick<typeof import('../src/compose.ts'), 'openEngine'> &
  Pick<typeof import('../src/config.ts'), 'readConfig'> &
  Pick<typeof import('../src/runtime.ts'), 'systemRuntime'> &
  Pick<typeof import('../src/cli/heap.ts'), 'keepHeapSmall'>

/** The built package, as users run it: what is measured must not carry the weight of stripping types. */
export async function built(): Promise<Built> {
  const dist = new URL('../dist/', import.meta.url)
  if (!existsSync(dist)) throw new Error('there is no dist/: run `npm run build` first')
  const modules = await Promise.all(
    ['compose.js', 'config.js', 'runtime.js', 'cli/heap.js'].map((file) => import(new URL(file, dist).href)),
  )
  return Object.assign({}, ...modules) as Built
}

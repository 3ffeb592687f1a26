import type { App } from './http-deps.ts'

/** Collects the routes that are added from now on. Returns what says which methods an address takes, in alphabetical order; none: there is no such route. */
export function collectMethods(app: App): (path: string) => readonly string[] {
  const routes: { readonly parts: readonly string[]; readonly methods: readonly string[] }[] = []
  app.addHook('onRoute', ({ url, method }) => {
    routes.push({ parts: partsOf(url), methods: Array.isArray(method) ? method : [method] })
  })
  return (path) => {
    const parts = partsOf(path)
    const found = routes.filter((route) => isAt(route.parts, parts)).flatMap(({ methods }) => methods)
    return [...new Set(found)].sort()
  }
}

function partsOf(path: string): readonly string[] {
  return path.replace(/\/$/, '').split('/')
}

/** A parameter is a whole part of an address. */
function isAt(route: readonly string[], parts: readonly string[]): boolean {
  return (
    route.length === parts.length &&
    route.every((part, at) => part === parts[at] || (part.startsWith(':') && parts[at] !== ''))
  )
}

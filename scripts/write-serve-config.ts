import { readFileSync, writeFileSync } from 'node:fs'
import { serveReference } from '../src/serve-config/reference.ts'

/** Writes the table of keys in `docs/operations.md` from the schema in src/serve-config: `node scripts/write-serve-config.ts`. */
const docs = new URL('../docs/operations.md', import.meta.url)
const table = /(<!-- keys: written by scripts\/write-serve-config\.ts -->\n)[\s\S]*?(<!-- end of keys -->)/
const text = readFileSync(docs, 'utf8')
writeFileSync(
  docs,
  text.replace(table, (_match, begin: string, end: string) => `${begin}\n${serveReference()}\n\n${end}`),
)

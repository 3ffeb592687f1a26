import { readFileSync, writeFileSync } from 'node:fs'
import { publishedSchema, referenceTable } from '../src/spec/published.ts'

/** Writes `sluice.schema.json`, and the table of keys in `docs/spec.md`, from the schema in src/spec: `node scripts/write-spec-schema.ts`. */
const root = new URL('../', import.meta.url)
writeFileSync(new URL('sluice.schema.json', root), `${JSON.stringify(publishedSchema(), null, 2)}\n`)

const docs = new URL('docs/spec.md', root)
const text = readFileSync(docs, 'utf8')
const table = /(<!-- keys: written by scripts\/write-spec-schema\.ts -->\n)[\s\S]*?(<!-- end of keys -->)/
writeFileSync(
  docs,
  text.replace(table, (_match, begin: string, end: string) => `${begin}\n${referenceTable()}\n\n${end}`),
)

import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { INIT_EXAMPLES } from '../../src/cli/command/init.ts'
import { cli } from './harness.ts'

describe('sluice init', () => {
  let cwd = ''
  beforeEach(async () => {
    cwd = await mkdtemp(join(tmpdir(), 'sluice-init-'))
  })
  afterEach(() => rm(cwd, { recursive: true }))

  it.each(Object.entries(INIT_EXAMPLES))(
    '--example %s writes a spec, its data and the schema',
    async (name, folder) => {
      const { run, err, out, calls } = cli({}, { cwd, tty: 80 })
      expect(await run('init', 'mine', '--example', name)).toBe(0)
      const files = await readdir(join(cwd, 'mine'))
      expect(files).toEqual(expect.arrayContaining(['.gitignore', `${folder}.yaml`, 'sluice.schema.json']))
      const spec = await readFile(join(cwd, 'mine', `${folder}.yaml`), 'utf8')
      expect(spec).toContain('# yaml-language-server: $schema=./sluice.schema.json\n')
      const { input, model } = parse(spec) as { input: { source: string }; model: { id: string } }
      expect(files).toContain(input.source)
      expect(model.id).toMatch(/^simulator\//)
      expect(await readFile(join(cwd, 'mine', '.gitignore'), 'utf8')).toContain('.sluice/')
      expect(err()).toContain(`  created  mine/${folder}.yaml\n`)
      expect(err()).toContain(`cd mine && npx sluice try ${folder}.yaml -n 3`)
      expect(out()).toBe('')
      expect(calls).toEqual([])
    },
  )

  it('keeps files that exist, unless --force', async () => {
    await writeFile(join(cwd, 'tickets.yaml'), 'mine')
    const { run, err } = cli({}, { cwd, tty: 80 })
    expect(await run('init')).toBe(0)
    expect(await readFile(join(cwd, 'tickets.yaml'), 'utf8')).toBe('mine')
    expect(err()).toContain('  kept     tickets.yaml   (exists; --force overwrites it)\n')
    expect(err()).toContain('  created  tickets.csv\n')
    expect(await run('init', '--force')).toBe(0)
    expect(await readFile(join(cwd, 'tickets.yaml'), 'utf8')).toContain('version: 1')
  })

  it('prints a line for each file where it is piped', async () => {
    const { run, events } = cli({}, { cwd })
    expect(await run('init')).toBe(0)
    expect(events()).toContainEqual({ type: 'file', path: join(cwd, 'tickets.csv'), created: true })
  })

  it('refuses an unknown example', async () => {
    const { run, err } = cli({}, { cwd })
    expect(await run('init', '--example', 'poetry')).toBe(2)
    expect(err()).toContain('Allowed choices are classify, extract, summarize.')
    expect(await readdir(cwd)).toEqual([])
  })
})

import { readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import { type Command, Option } from 'commander'
import { type ExitCode, SluiceError } from '../../errors.ts'
import { makeFolder } from '../../runtime.ts'
import type { CommandContext, Launch } from '../context.ts'

/** The examples that `init` can write, and the folder of `examples/` that each comes from. */
export const INIT_EXAMPLES = Object.freeze({ classify: 'tickets', extract: 'companies', summarize: 'articles' })

type ExampleName = keyof typeof INIT_EXAMPLES

interface NewFile {
  /** Relative to the folder that is set up. */
  readonly path: string
  readonly content: Uint8Array | string
}

/** Never part of an example: what a run leaves behind. */
const LEFT_BEHIND = /(^|[\\/])(\.sluice|out|results\.[a-z]+)([\\/]|$)/

/** `sluice init`: a spec, sample data and the schema for editors, ready to run offline. */
export function addInitCommand(program: Command, launch: Launch): void {
  program
    .command('init')
    .description('write an example; it runs offline, without a key')
    .argument('[dir]', 'where; default: this folder')
    .addOption(
      new Option('--example <name>', 'what to start from').choices(Object.keys(INIT_EXAMPLES)).default('classify'),
    )
    .option('--force', 'overwrite files that exist')
    .action((dir: string | undefined, flags: { example: ExampleName; force?: boolean }) =>
      launch((context) => init(context, dir ?? '.', flags.example, flags.force === true)),
    )
}

async function init(context: CommandContext, dir: string, example: ExampleName, force: boolean): Promise<ExitCode> {
  const { cwd } = context.config
  const { packageDir } = context.deps
  const target = resolve(cwd, dir)
  const files = await exampleFiles(packageDir, example)
  for (const file of files) {
    const created = await write(join(target, file.path), file.content, force)
    const shown = join(relative(cwd, target), file.path)
    context.output.say(
      `  ${created ? 'created' : 'kept   '}  ${shown}${created ? '' : '   (exists; --force overwrites it)'}`,
    )
    context.events.line({ type: 'file', path: join(target, file.path), created })
  }
  const spec = files.find((file) => /\.ya?ml$/.test(file.path))?.path ?? ''
  const enter = target === cwd ? '' : `cd ${relative(cwd, target)} && `
  context.output.say(
    [
      '',
      'The model is simulated: free, offline, no key. Its answers are made up.',
      `  Next:        ${enter}npx sluice try ${spec} -n 3`,
      `  All rows:    ${enter}npx sluice run ${spec} -o results.csv`,
      `  A real one:  set model.id in ${spec}, and the variable that model.api_key_env names`,
    ].join('\n'),
  )
  return 0
}

/** The files of an example, with the schema beside them and a .gitignore for the data directory. */
async function exampleFiles(packageDir: string, example: ExampleName): Promise<readonly NewFile[]> {
  const source = join(packageDir, 'examples', INIT_EXAMPLES[example])
  const entries = await readdir(source, { recursive: true, withFileTypes: true }).catch((error: unknown) => {
    throw new SluiceError('internal', `The example is missing from this installation: ${source}`, { cause: error })
  })
  const paths = entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(source, join(entry.parentPath, entry.name)))
    .filter((path) => !LEFT_BEHIND.test(path))
    .sort()
  const files = await Promise.all(
    paths.map(async (path) => ({ path, content: localSchema(path, await readFile(join(source, path))) })),
  )
  const schema = { path: 'sluice.schema.json', content: await readFile(join(packageDir, 'sluice.schema.json')) }
  return [...files, schema, { path: '.gitignore', content: '.sluice/\n.env\n' }]
}

/** In the package the schema lies two folders up; in the new folder it lies beside the spec. */
function localSchema(path: string, content: Uint8Array): Uint8Array | string {
  if (!/\.ya?ml$/.test(path)) return content
  return Buffer.from(content)
    .toString('utf8')
    .replace(/(\$schema[=:]\s*)\S*sluice\.schema\.json/g, '$1./sluice.schema.json')
}

/** `false`: there is a file already, and it was left as it is. */
async function write(path: string, content: Uint8Array | string, force: boolean): Promise<boolean> {
  await makeFolder(dirname(path))
  try {
    await writeFile(path, content, { flag: force ? 'w' : 'wx' })
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

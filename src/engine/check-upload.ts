import type { Job } from '../domain/job.ts'
import { type Finding, SluiceError } from '../errors.ts'
import { describeInput, type InputPreview } from '../intake/describe-input.ts'
import type { FoundFile } from '../intake/input-file.ts'
import { checkInput } from '../plan/check-input.ts'
import { checkTemplates } from '../plan/check-templates.ts'
import { hintAmong } from '../spec/nearest.ts'
import { filePositions, newReport, type Report } from '../spec/positions.ts'
import type { EngineDeps } from './engine-deps.ts'
import { specOf } from './job-parts.ts'
import { submissionOf } from './submission.ts'

/**
 * Looks at the beginning of a file that was uploaded as the input of `job`: whether it is what its name says, can be read, and has the columns that the
 * job's spec and its creator ask for. Throws SluiceError `input_invalid` with all findings, or `file_too_large` where that beginning, or what the file says of itself, shows that it would come
 * to more than it may.
 */
export async function checkUpload(deps: Pick<EngineDeps, 'store' | 'env'>, job: Job, file: FoundFile): Promise<void> {
  const spec = await specOf(deps, job)
  const { columnsHint = [], unpackedBytes } = await submissionOf(deps, job)
  const preview = await describeInput({
    input: spec.input,
    baseDir: '',
    env: deps.env,
    files: [{ ...file, unpackedBytes }],
  })
  const report = newReport(filePositions(file.name))
  checkInput(spec, preview, report)
  checkTemplates(spec, preview.columns, report)
  for (const name of columnsHint.filter((each) => !preview.columns.includes(each))) {
    const hint = hintAmong(name, preview.columns, 'columns')
    report.add('error', report.positions.key([]), `the input has no column "${name}", which columns_hint names`, hint)
  }
  checkContent(preview, report)
  refuse(
    file,
    report.findings.filter(({ severity }) => severity === 'error'),
  )
}

/** A reader of rows puts up with lines that cannot be read; nobody can have meant nothing else. */
function checkContent({ rows, unreadable }: InputPreview, report: Report): void {
  const [first] = unreadable
  if (rows.length > 0 || first === undefined) return
  const place = { file: report.positions.file, line: first.line, column: null }
  report.add('error', place, `none of its first ${unreadable.length} lines can be read: ${first.message}`)
}

function refuse({ name }: FoundFile, findings: readonly Finding[]): void {
  const [first] = findings
  if (first === undefined) return
  const what = findings.length === 1 ? first.message : `${findings.length} things are wrong`
  throw new SluiceError('input_invalid', `${name} cannot be the input of the job: ${what}`, { findings })
}

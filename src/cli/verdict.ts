const MARKS = /(?<!\\)(?:\*\*|`+)/g
const ESCAPED = /\\([\\`*<[\]|])/g

/**
 * What somebody wants to read of a completion report at the end of a run: everything before its first section, and its gates; without
 * Markdown's marks and empty lines.
 */
export function verdictOf(markdown: string): string {
  const [head = '', ...sections] = markdown.split(/^## /m)
  const gates = sections.find((section) => section.startsWith('Gates\n'))
  const lines = [head, gates?.slice('Gates\n'.length) ?? ''].join('\n').split('\n')
  return lines
    .filter((line) => line.trim() !== '')
    .map((line) => line.replace(/^# /, '').replace(/^- /, '  ').replace(MARKS, '').replace(ESCAPED, '$1'))
    .join('\n')
}

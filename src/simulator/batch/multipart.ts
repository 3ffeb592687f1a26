/** What a form holds besides its file. */
export interface FormFacts {
  readonly fields: Readonly<Record<string, string>>
  /** The file's name; `null`: there was no file. */
  readonly filename: string | null
}

const LINE = Buffer.from('\r\n')
const HEADERS_END = Buffer.from('\r\n\r\n')
/** Longer headers or fields are no form that any client sends. */
const MAX_PART_BYTES = 64 * 1024

/**
 * Reads a `multipart/form-data` body as it streams in: the file's bytes go to `onFile`, in order, and are never all in memory.
 * Throws a `RangeError` for what is no such form.
 */
export async function readForm(
  body: AsyncIterable<Uint8Array>,
  contentType: string,
  onFile: (bytes: Buffer) => Promise<void>,
): Promise<FormFacts> {
  const boundary = /;\s*boundary=(?:"([^"]+)"|([^;\s]+))/i.exec(contentType)
  if (boundary === null) throw new RangeError('no boundary stands in the content type')
  const fields: Record<string, string> = {}
  let filename = null as string | null
  let part = null as Part | null
  const splitter = createFormSplitter(Buffer.from(`\r\n--${boundary[1] ?? boundary[2]}`))
  const take = async (piece: Part | Buffer) => {
    if (!Buffer.isBuffer(piece)) {
      part = piece
      filename = piece.filename ?? filename
    } else if (part?.filename) await onFile(piece)
    else if (part !== null) fields[part.name] = longer(fields[part.name] ?? '', piece)
  }
  for await (const chunk of body) {
    for (const piece of splitter.push(chunk)) await take(piece)
  }
  if (!splitter.isOver()) throw new RangeError('the form breaks off')
  return { fields, filename }
}

function longer(field: string, piece: Buffer): string {
  if (field.length + piece.length > MAX_PART_BYTES) throw new RangeError('a field of the form is too long')
  return field + piece.toString()
}

/** Cuts a form up as it comes: the head of each part, then its bytes in pieces. Bytes before the first part are pieces, too. */
function createFormSplitter(delimiter: Buffer) {
  // The first delimiter has no line break before it: it is given one.
  let rest: Buffer = LINE
  let isOver = false
  /** All up to the next delimiter, and the head after it; `null`: that is not all there yet. */
  const cut = (): readonly (Part | Buffer)[] | null => {
    const end = rest.indexOf(delimiter)
    const head = end < 0 ? null : headAt(rest.subarray(end + delimiter.length))
    if (head === null) return null
    const before = Buffer.from(rest.subarray(0, end))
    isOver = head.part === null
    rest = rest.subarray(end + delimiter.length + head.bytes)
    return [...(before.length > 0 ? [before] : []), ...(head.part === null ? [] : [head.part])]
  }
  /** What can be the beginning of no delimiter. */
  const sure = (): readonly Buffer[] => {
    const length = rest.includes(delimiter) ? 0 : rest.length - delimiter.length
    if (length <= 0) return []
    const piece = Buffer.from(rest.subarray(0, length))
    rest = rest.subarray(length)
    return [piece]
  }
  return Object.freeze({
    push: (chunk: Uint8Array): readonly (Part | Buffer)[] => {
      if (isOver) return []
      rest = Buffer.concat([rest, chunk])
      const pieces: (Part | Buffer)[] = []
      for (let next = cut(); next !== null; next = isOver ? null : cut()) pieces.push(...next)
      return isOver ? pieces : [...pieces, ...sure()]
    },
    isOver: () => isOver,
  })
}

/** What stands after a delimiter: the head of the next part, or (`part` null) the end of the form. `null`: it is not all there yet. */
function headAt(bytes: Buffer): { readonly part: Part | null; readonly bytes: number } | null {
  if (bytes.length >= 2 && bytes.subarray(0, 2).toString() === '--') return { part: null, bytes: 2 }
  const end = bytes.indexOf(HEADERS_END)
  if (end < 0 && bytes.length > MAX_PART_BYTES) throw new RangeError('a part of the form has no end to its headers')
  if (end < 0) return null
  return { part: partOf(bytes.subarray(0, end).toString()), bytes: end + HEADERS_END.length }
}

interface Part {
  readonly name: string
  readonly filename: string | null
}

function partOf(headers: string): Part {
  const disposition = /^content-disposition:(.*)$/im.exec(headers)?.[1] ?? ''
  const name = /;\s*name="([^"]*)"/i.exec(disposition)?.[1]
  if (name === undefined) throw new RangeError('a part of the form has no name')
  return { name, filename: /;\s*filename="([^"]*)"/i.exec(disposition)?.[1] ?? null }
}

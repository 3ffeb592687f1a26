import { once } from 'node:events'
import { createWriteStream } from 'node:fs'

/**
 * Writes a CSV of `rows` rows, about 300 bytes each: CRLF line ends, a third of the rows with a quoted text that holds line breaks, commas
 * and doubled quotes, some of it not ASCII. The same rows each time. Returns its size in bytes.
 */
export async function writeBigCsv(path: string, rows: number): Promise<number> {
  const out = createWriteStream(path, { highWaterMark: 1 << 20 })
  out.write('ticket_id,created_at,channel,subject,body,customer,amount\r\n')
  const words =
    'the order arrived late and broken so please send a refund or a new one before friday thanks a lot'.split(' ')
  const text = (seed: number, length: number) =>
    Array.from({ length }, (_, at) => words[(seed * 31 + at * at * 7) % words.length]).join(' ')
  let block: string[] = []
  for (let row = 0; row < rows; row++) {
    const body =
      row % 3 === 0
        ? `"${text(row, 12)},\r\n\r\n${text(row + 1, 14)} ""${words[row % words.length]}""\n${row % 6 === 0 ? 'größer – ' : ''}${text(row + 2, 10)}"`
        : text(row, 38)
    block.push(
      `T-${String(row).padStart(8, '0')},2026-0${1 + (row % 9)}-1${row % 10}T08:00:00Z,email,${text(row, 6)},${body},customer-${row % 99991}@example.com,${(row % 10000) / 100}\r\n`,
    )
    if (block.length === 2000) {
      if (!out.write(block.join(''))) await once(out, 'drain')
      block = []
    }
  }
  out.end(block.join(''))
  await once(out, 'finish')
  return out.bytesWritten
}

import type { StoredFile } from './batch.ts'
import type { Book } from './book.ts'
import { type BatchReply, Cut } from './exchange.ts'

/** The content of a file, streamed; of results, with what is to go wrong with their first downloads. */
export function download(book: Book, file: StoredFile, contentType: string): BatchReply {
  const { badGateways, brokenDownloads } = book.house.options.batches
  file.served += 1
  const isResult = file.survey === null
  if (isResult && file.served <= badGateways) return BAD_GATEWAY
  const isBroken = isResult && file.served <= badGateways + brokenDownloads
  return {
    kind: 'response',
    status: 200,
    headers: { 'content-type': contentType, 'content-length': String(file.bytes) },
    body: isBroken ? half(book, file) : file.bytes === 0 ? '' : book.shelf.read(file.path),
  }
}

const BAD_GATEWAY: BatchReply = Object.freeze({
  kind: 'response',
  status: 502,
  headers: { 'content-type': 'text/html' },
  body: '<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>cloudflare</center>\r\n</body>\r\n</html>\r\n',
})

async function* half(book: Book, file: StoredFile): AsyncGenerator<Buffer> {
  if (file.bytes > 1) yield* book.shelf.read(file.path, Math.floor(file.bytes / 2))
  throw new Cut('midway')
}

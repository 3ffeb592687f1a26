import type { HttpBody } from '../provider/http.ts'
import type { RequestLine, ShardOffer } from './batch-api.ts'

/** How requests stand in an upload. */
export interface UploadForm {
  readonly head: string
  line(request: RequestLine): string
  /** Between two lines. */
  readonly between: string
  readonly tail: string
}

/** Bytes that are sent at once. */
const BLOCK_BYTES = 64 * 1024

/**
 * A shard's requests as a body that is made while it is sent. They are read twice: first to know how long it is, for not every server, nor every
 * gateway in front of one, takes a body whose length it is not told.
 */
export async function uploadOf(offer: ShardOffer, form: UploadForm): Promise<Exclude<HttpBody, string>> {
  let bytes = 0
  for await (const text of textsOf(offer, form)) bytes += Buffer.byteLength(text)
  return { bytes, blocks: () => blocksOf(textsOf(offer, form)) }
}

async function* textsOf(offer: ShardOffer, { head, line, between, tail }: UploadForm): AsyncGenerator<string> {
  yield head
  let isFirst = true
  for await (const request of offer.lines()) {
    yield isFirst ? line(request) : between + line(request)
    isFirst = false
  }
  yield tail
}

async function* blocksOf(texts: AsyncIterable<string>): AsyncGenerator<Buffer> {
  let held = ''
  for await (const text of texts) {
    held += text
    if (held.length < BLOCK_BYTES) continue
    yield Buffer.from(held)
    held = ''
  }
  if (held !== '') yield Buffer.from(held)
}

/** JSON lines as the file of a form, with `purpose: batch`: as OpenAI and Mistral take them. */
export function multipartForm(
  shardId: string,
  line: UploadForm['line'],
): { readonly form: UploadForm; readonly type: string } {
  // No request can hold it: they are of one line each, and a boundary begins one.
  const boundary = `sluice-${shardId}`
  const part = (name: string) => `--${boundary}\r\ncontent-disposition: form-data; name="${name}"`
  return {
    form: {
      head: `${part('purpose')}\r\n\r\nbatch\r\n${part('file')}; filename="sluice-${shardId}.jsonl"\r\ncontent-type: application/jsonl\r\n\r\n`,
      line,
      between: '\n',
      tail: `\n\r\n--${boundary}--\r\n`,
    },
    type: `multipart/form-data; boundary=${boundary}`,
  }
}

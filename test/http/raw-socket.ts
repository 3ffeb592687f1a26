import { connect } from 'node:net'

/** An answer as it came over the wire. */
export interface RawAnswer {
  readonly status: number
  readonly headers: ReadonlyMap<string, string>
  readonly body: string
}

/** Writes `text` on a connection of its own, and gives all that comes until the server closes it. */
export function sendRaw(port: number, text: string | Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    let heard = ''
    socket.setEncoding('utf8')
    socket.on('data', (data) => {
      heard += data
    })
    socket.on('close', () => resolve(heard))
    socket.on('error', reject)
    socket.write(text)
  })
}

/** The answers in what came, whose bodies have their length in their headers. */
export function answersIn(heard: string): RawAnswer[] {
  const answers: RawAnswer[] = []
  for (let rest = heard; rest !== ''; ) {
    const [head = '', ...more] = rest.split('\r\n\r\n')
    const [line = '', ...fields] = head.split('\r\n')
    const headers = new Map(
      fields.map((field) => [field.split(': ', 1)[0]?.toLowerCase() ?? '', field.replace(/^[^:]*: /, '')]),
    )
    const after = more.join('\r\n\r\n')
    const length = Number(headers.get('content-length') ?? 0)
    answers.push({ status: Number(line.split(' ')[1]), headers, body: after.slice(0, length) })
    rest = after.slice(length)
  }
  return answers
}

import { connect } from 'node:net'
import { Ajv2020 } from 'ajv/dist/2020.js'
import OpenAI, { toFile } from 'openai'
import { describe, expect, it, vi } from 'vitest'
import { batchOf, chatLine, openAiWorld, upload } from './openai-world.ts'

describe('files of the official client', () => {
  it('are kept as they were sent, and gone when they are deleted', async () => {
    const { client } = await openAiWorld({ idle: true })
    const file = await upload(client, [chatLine('a', 'x'), chatLine('b', 'y')], 'mine.jsonl')
    expect(file).toEqual({
      id: expect.stringMatching(/^file_/),
      object: 'file',
      bytes: expect.any(Number),
      created_at: expect.any(Number),
      expires_at: file.created_at + 30 * 86_400,
      filename: 'mine.jsonl',
      purpose: 'batch',
      status: 'processed',
      status_details: null,
    })
    expect(await client.files.retrieve(file.id)).toEqual(file)
    const text = `${JSON.stringify(chatLine('a', 'x'))}\n${JSON.stringify(chatLine('b', 'y'))}`
    expect(await (await client.files.content(file.id)).text()).toBe(text)
    expect(file.bytes).toBe(Buffer.byteLength(text))
    expect(await client.files.delete(file.id)).toEqual({ id: file.id, object: 'file', deleted: true })
    for (const gone of [client.files.retrieve(file.id), client.files.content(file.id), client.files.delete(file.id)]) {
      expect(await gone.catch((error) => error)).toBeInstanceOf(OpenAI.NotFoundError)
    }
  })

  it('are read in parts', async () => {
    const { client } = await openAiWorld({ idle: true })
    const { id } = await upload(client, ['0123456789'])
    const part = async (range: string) => {
      const response = await client.files.content(id, { headers: { range } })
      return [response.status, response.headers.get('content-range'), await response.text()]
    }
    expect(await part('bytes=2-4')).toEqual([206, 'bytes 2-4/10', '234'])
    expect(await part('bytes=-3')).toEqual([206, 'bytes 7-9/10', '789'])
    expect(await part('bytes=8-')).toEqual([206, 'bytes 8-9/10', '89'])
    expect(await client.files.content(id, { headers: { range: 'bytes=10-' } }).catch((error) => error.status)).toBe(416)
  })

  it('are listed in both orders, page by page, to their tenant alone', async () => {
    const { client, clientOf, api } = await openAiWorld({ idle: true })
    const ids: string[] = []
    for (let at = 0; at < 5; at++) ids.push((await upload(client, [String(at)])).id)
    const list = async (of: OpenAI, query: OpenAI.FileListParams) => {
      const found: string[] = []
      for await (const { id } of of.files.list(query)) found.push(id)
      return found
    }
    expect(await list(client, { limit: 2, order: 'asc' })).toEqual(ids)
    expect(await list(client, { limit: 2 })).toEqual(ids.toReversed())
    expect(await list(client, { purpose: 'batch' })).toHaveLength(5)
    for (const purpose of ['batch_output', 'fine-tune', 'input']) expect(await list(client, { purpose })).toEqual([])
    const other = clientOf(await api.key(undefined, await api.tenant('other')))
    expect(await list(other, {})).toEqual([])
    const [id = ''] = ids
    for (const verb of ['retrieve', 'content', 'delete'] as const) {
      expect(await other.files[verb](id).catch((error: unknown) => error)).toBeInstanceOf(OpenAI.NotFoundError)
    }
  })

  it('can be deleted while they are listed', async () => {
    const { client } = await openAiWorld({ idle: true })
    for (let at = 0; at < 5; at++) await upload(client, [String(at)])
    for await (const { id } of client.files.list({ limit: 2 })) await client.files.delete(id)
    expect((await client.files.list()).data).toEqual([])
  })

  it('keep the name that they were given, as far as it can be one', async () => {
    const { client } = await openAiWorld({ idle: true })
    const names = [
      ['ünï 日本 😀.jsonl', 'ünï 日本 😀.jsonl'],
      // A form can hold neither quotes nor ends of lines in a name: whoever sends it writes them so (WHATWG).
      ['a"b\r\n.jsonl', 'a%22b%0D%0A.jsonl'],
      ['../../etc/passwd', 'passwd'],
      ['', 'batch.jsonl'],
      ['x'.repeat(400), 'x'.repeat(255)],
    ] as const
    for (const [name, kept] of names) {
      const file = await client.files.create({ file: await toFile(Buffer.from('{}'), name), purpose: 'batch' })
      expect(file.filename).toBe(kept)
      const content = await client.files.content(file.id)
      expect(content.headers.get('content-disposition')).toBe(
        `attachment; filename*=UTF-8''${encodeURIComponent(kept)}`,
      )
      expect(await content.text()).toBe('{}')
    }
  })

  it('may be empty, and are not taken in parts', async () => {
    const { client } = await openAiWorld({ idle: true })
    const empty = await client.files.create({ file: await toFile(Buffer.alloc(0), 'a.jsonl'), purpose: 'batch' })
    expect(empty.bytes).toBe(0)
    expect(await (await client.files.content(empty.id)).text()).toBe('')
    const asked = { bytes: 1, filename: 'a.jsonl', mime_type: 'text/jsonl', purpose: 'batch' } as const
    const refused = await client.uploads.create(asked).catch((error) => error)
    expect(refused).toMatchObject({
      status: 404,
      code: 'unknown_url',
      message: expect.stringContaining('POST /v1/files'),
    })
    const chat = { model: 'fast', messages: [{ role: 'user', content: 'x' }] } as const
    expect(
      await client.chat.completions.create({ ...chat, messages: [...chat.messages] }).catch((error) => error),
    ).toMatchObject({
      status: 404,
      message: expect.stringContaining('POST /v1/batches'),
    })
  })

  it('live as long as they are asked to', async () => {
    const { client } = await openAiWorld({ idle: true })
    const file = await toFile(Buffer.from('x'), 'a.jsonl')
    const made = await client.files.create({
      file,
      purpose: 'batch',
      expires_after: { anchor: 'created_at', seconds: 3_600 },
    })
    expect((made.expires_at ?? 0) - made.created_at).toBe(3_600)
  })

  it('are refused where they are no use, too large, or none, and leave nothing', async () => {
    const { client, url, api } = await openAiWorld({ idle: true, config: 'limits: { upload: 1kB }' })
    const create = (body: object) => client.files.create(body as OpenAI.FileCreateParams).catch((error) => error)
    const file = () => toFile(Buffer.from('x'), 'a.jsonl')
    expect(await create({ file: await file(), purpose: 'fine-tune' })).toMatchObject({ status: 400, param: 'purpose' })
    expect(
      await create({ file: await file(), purpose: 'batch', expires_after: { anchor: 'created_at', seconds: 1 } }),
    ).toMatchObject({
      status: 400,
      param: 'expires_after.seconds',
    })
    expect(await create({ file: await toFile(Buffer.alloc(2_000), 'a.jsonl'), purpose: 'batch' })).toMatchObject({
      status: 413,
    })
    expect(await create({ file: await file(), purpose: 'batch', colour: 'red' })).toMatchObject({
      status: 400,
      param: 'colour',
    })
    const headers = { authorization: `Bearer ${await api.key()}`, 'content-type': 'application/json' }
    const answer = await fetch(`${url}/v1/files`, { method: 'POST', headers, body: '{}' })
    expect([answer.status, Object.keys((await answer.json()) as object)]).toEqual([400, ['error']])
    expect((await client.files.list()).data).toEqual([])
  })

  it('of which only a part came are gone', async () => {
    const { url, api } = await openAiWorld({ idle: true })
    const { port } = new URL(url)
    const socket = connect(Number(port), '127.0.0.1')
    const key = await api.key()
    const head = `POST /v1/files HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${key}\r\ncontent-type: multipart/form-data; boundary=a\r\ncontent-length: 1000\r\n\r\n`
    socket.write(`${head}${file}`)
    const files = () => api.service.files(1).list({ limit: 9 })
    await vi.waitFor(async () => expect(await files()).toHaveLength(1))
    socket.destroy()
    await vi.waitFor(async () => expect(await files()).toEqual([]))
  })

  const part = (name: string, text: string, file = '') =>
    `--a\r\nContent-Disposition: form-data; name="${name}"${file}\r\n\r\n${text}`
  const file = part('file', 'x', '; filename="a"')

  it.each([
    ['no form', 'multipart/form-data', 'x'],
    ['a form without parts', 'multipart/form-data; boundary=a', 'x'],
    ['an empty form', 'multipart/form-data; boundary=a', ''],
    ['a file that does not end', 'multipart/form-data; boundary=a', file],
    ['a form that does not end', 'multipart/form-data; boundary=a', `${file}\r\n${part('purpose', 'batch')}`],
    ['a name that is none', 'multipart/form-data; boundary=a', `${file}\r\n${part('__proto__', 'x')}\r\n--a--\r\n`],
    ['two files', 'multipart/form-data; boundary=a', `${file}\r\n${file}\r\n--a--\r\n`],
    [
      'a field that is too long',
      'multipart/form-data; boundary=a',
      `${part('purpose', 'x'.repeat(5_000))}\r\n--a--\r\n`,
    ],
  ])('are refused, and never the fault of the server, where they come as %s', async (_name, type, body) => {
    const { client, url, api } = await openAiWorld({ idle: true })
    const headers = { authorization: `Bearer ${await api.key()}`, 'content-type': type }
    const answer = await fetch(`${url}/v1/files`, { method: 'POST', headers, body })
    expect([answer.status, await answer.json()]).toMatchObject([400, { error: { type: 'invalid_request_error' } }])
    expect((await client.files.list()).data).toEqual([])
  })

  it('ask for a key, and for one that may', async () => {
    const { client, clientOf, api } = await openAiWorld({ idle: true })
    expect(
      await clientOf('nonsense')
        .files.list()
        .catch((error) => error),
    ).toBeInstanceOf(OpenAI.AuthenticationError)
    const reader = clientOf(await api.key(['read']))
    expect(await upload(reader, ['x']).catch((error) => error)).toBeInstanceOf(OpenAI.PermissionDeniedError)
    expect((await reader.files.list()).data).toEqual([])
    expect((await client.files.list()).data).toEqual([])
  })
})

it('what is told of files, batches, models and errors is as the description of the API says', async () => {
  const { client, url, api } = await openAiWorld({ idle: true })
  const ajv = new Ajv2020({ strict: false })
  ajv.addSchema((await (await fetch(`${url}/api/v1/openapi.json`)).json()) as object, 'api')
  await batchOf(client, [chatLine('a', 'x')])
  const headers = { authorization: `Bearer ${await api.key()}` }
  const told = async (path: string, schema: string) => {
    const answer = (await (await fetch(`${url}/v1/${path}`, { headers })).json()) as {
      readonly data?: readonly object[]
    }
    const fits = ajv.compile({ $ref: `api#/components/schemas/${schema}` })
    const objects = answer.data ?? [answer]
    return [objects.length > 0, ...objects.map((object) => fits(object) || fits.errors)]
  }
  expect(await told('files', 'OpenAiFile')).toEqual([true, true])
  expect(await told('batches', 'OpenAiBatch')).toEqual([true, true])
  expect(await told('models', 'OpenAiModel')).toEqual([true, true, true, true])
  expect(await told('batches/nobody', 'OpenAiError')).toEqual([true, true])
})

describe('models of the official client', () => {
  it('are those that the operator has named', async () => {
    const { client, url, api } = await openAiWorld({ idle: true })
    const names: string[] = []
    for await (const { id } of client.models.list()) names.push(id)
    expect(names).toEqual(['gpt-test', 'claude-test', 'fast'])
    expect(await client.models.retrieve('claude-test')).toEqual({
      id: 'claude-test',
      object: 'model',
      created: 0,
      owned_by: 'anthropic',
    })
    expect(await client.models.retrieve('openai/gpt-5-mini')).toMatchObject({
      id: 'openai/gpt-5-mini',
      owned_by: 'openai',
    })
    const headers = { authorization: `Bearer ${await api.key()}` }
    const plain = await fetch(`${url}/v1/models/openai/gpt-5-mini`, { headers })
    expect(await plain.json()).toMatchObject({ id: 'openai/gpt-5-mini', owned_by: 'openai' })
    expect(await client.models.retrieve('nobody').catch((error) => error)).toBeInstanceOf(OpenAI.NotFoundError)
  })
})

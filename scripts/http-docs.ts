/** The part of an OpenAPI 3.1 description that the page is written from. */
export interface HttpDescription {
  readonly tags?: readonly { readonly name: string; readonly description?: string }[]
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components?: { readonly schemas?: Readonly<Record<string, Schema>> }
}

interface Operation {
  readonly operationId: string
  readonly summary?: string
  readonly description?: string
  readonly tags?: readonly string[]
  readonly parameters?: readonly Parameter[]
  readonly requestBody?: { readonly content?: Readonly<Record<string, { readonly schema?: Schema }>> }
  readonly responses: Readonly<
    Record<
      string,
      { readonly description?: string; readonly content?: Readonly<Record<string, { readonly schema?: Schema }>> }
    >
  >
}

interface Parameter {
  readonly name: string
  readonly in: string
  readonly required?: boolean
  readonly description?: string
  readonly schema?: Schema
}

interface Schema {
  readonly $ref?: string
  readonly type?: string | readonly string[]
  readonly description?: string
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly default?: unknown
  readonly anyOf?: readonly Schema[]
  readonly oneOf?: readonly Schema[]
  readonly items?: Schema
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
}

/** Answers that any route may give: told once, at the top of the page. */
const EVERYWHERE = ['400', '401', '403', '413', '415', '429', '503']

/** The routes of a description as Markdown: by tag, each with its questions, its body and its answers; then the components. */
export function httpReference(description: HttpDescription): string {
  const operations = Object.entries(description.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  )
  const parts = (description.tags ?? []).map(({ name, description: about = '' }) => {
    const mine = operations.filter(({ operation }) => operation.tags?.includes(name) === true)
    if (mine.length === 0) return ''
    return [
      `## ${name}`,
      about,
      ...mine.map(({ path, method, operation }) => operationText(path, method, operation)),
    ].join('\n\n')
  })
  const schemas = Object.entries(description.components?.schemas ?? {}).map(([name, schema]) =>
    [`### ${name}`, ...(schema.description === undefined ? [] : [schema.description]), fields(schema)].join('\n\n'),
  )
  return [...parts.filter((part) => part !== ''), '## What is sent and answered', ...schemas].join('\n\n')
}

function operationText(path: string, method: string, operation: Operation): string {
  const { operationId, summary = '', description = '', parameters = [], requestBody, responses } = operation
  const questions = parameters.filter((parameter) => parameter.in === 'query')
  const body = Object.values(requestBody?.content ?? {})[0]?.schema
  const answers = Object.entries(responses)
    .filter(([status]) => !EVERYWHERE.includes(status))
    .map(([status, { description: about = '', content }]) => `- **${status}**${kindsOf(content)} ${about}`)
  return [
    `### ${summary}`,
    `\`${method} ${path}\` · \`${operationId}\``,
    ...(description === '' ? [] : [oneLine(description)]),
    ...(questions.length === 0
      ? []
      : [
          table(
            questions.map((each) => ({ ...each, schema: each.schema ?? {} })),
            'query',
          ),
        ]),
    ...(body === undefined ? [] : bodyText(body)),
    answers.join('\n'),
  ].join('\n\n')
}

function bodyText(body: Schema): string[] {
  const forms = body.oneOf ?? [body]
  return forms.flatMap((form) => [
    ...(form.description === undefined || form.properties === undefined ? [] : [`Body: ${form.description}`]),
    form.properties === undefined ? `Body: ${kind(form)}. ${form.description ?? ''}`.trim() : fields(form),
  ])
}

/** The media types and components of an answer. */
function kindsOf(content: Operation['responses'][string]['content']): string {
  const kinds = Object.entries(content ?? {}).map(([type, { schema }]) => {
    if (type === 'application/problem+json') return ''
    return type === 'application/json' ? ` ${kind(schema ?? {})}:` : ` \`${type}\`:`
  })
  return kinds.find((each) => each !== '') ?? ''
}

function fields(schema: Schema): string {
  const required = schema.required ?? []
  const all = Object.entries(schema.properties ?? {}).map(([name, each]) => ({
    name,
    schema: each,
    required: required.includes(name),
  }))
  return all.length === 0 ? kind(schema) : table(all, 'name')
}

interface Line {
  readonly name: string
  readonly schema: Schema
  readonly required?: boolean
  readonly description?: string
}

function table(lines: readonly Line[], head: string): string {
  const rows = lines.map(({ name, schema, required, description }) => {
    const standard =
      required === true ? '**required**' : schema.default === undefined ? '' : `\`${String(schema.default)}\``
    return `| \`${name}\` | ${kind(schema)} | ${standard} | ${cell(description ?? aboutOf(schema))} |`
  })
  return [`| ${head} | value | default | |`, '|---|---|---|---|', ...rows].join('\n')
}

function aboutOf(schema: Schema): string {
  return schema.description ?? schema.anyOf?.find(({ description }) => description !== undefined)?.description ?? ''
}

/** A value in a few words. */
function kind(schema: Schema): string {
  if (schema.$ref !== undefined) {
    const name = schema.$ref.split('/').at(-1) ?? ''
    return `[${name}](#${name.toLowerCase()})`
  }
  const choice = schema.anyOf ?? schema.oneOf
  if (choice !== undefined) return [...new Set(choice.map(kind))].join(' or ')
  if (schema.enum !== undefined)
    return schema.enum.length > 9 ? 'name' : schema.enum.map((each) => `\`${String(each)}\``).join(' ')
  if (schema.const !== undefined) return `\`${String(schema.const)}\``
  if (typeof schema.type !== 'string')
    return schema.type?.map((type) => kind({ ...schema, type })).join(' or ') ?? 'any'
  if (schema.type === 'array') return `list of ${kind(schema.items ?? {})}`
  if (schema.type === 'object' && schema.properties !== undefined) {
    return `{ ${Object.entries(schema.properties)
      .map(([name, each]) => (each.type === 'array' || each.$ref !== undefined ? `${name}: ${kind(each)}` : name))
      .join(', ')} }`
  }
  const names: Readonly<Record<string, string>> = {
    string: 'text',
    integer: 'whole number',
    boolean: 'true, false',
    object: 'mapping',
  }
  return names[schema.type] ?? schema.type
}

function cell(text: string): string {
  return oneLine(text).replaceAll('|', '\\|')
}

function oneLine(text: string): string {
  return text.replaceAll(/\s*\n\s*/g, ' ')
}

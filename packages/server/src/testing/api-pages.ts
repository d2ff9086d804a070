/** The pages of docs/api, made of openapi.json: one for each resource, and the list of problems. */
import { problemMediaType } from '@seaworthy/api/problems'

interface Schema {
  readonly [word: string]: unknown
  readonly type?: string | readonly string[]
  readonly pattern?: string
}

interface Content {
  readonly [mediaType: string]: {
    readonly schema: Schema
    readonly example?: unknown
    readonly examples?: Readonly<Record<string, unknown>>
  }
}

interface Operation {
  readonly operationId: string
  readonly tags: readonly string[]
  readonly summary: string
  readonly security: readonly Readonly<Record<string, readonly string[]>>[]
  readonly 'x-seaworthy-auth': string
  readonly 'x-seaworthy-step-up'?: boolean
  readonly 'x-seaworthy-approval'?: string
  readonly parameters: readonly {
    readonly name: string
    readonly in: string
    readonly required: boolean
    readonly schema: Schema
    readonly example: unknown
  }[]
  readonly requestBody?: { readonly content: Content }
  readonly responses: Readonly<Record<string, { readonly content?: Content }>>
}

export interface ApiDocument {
  readonly tags: readonly { readonly name: string }[]
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: {
    readonly examples: Readonly<
      Record<string, { readonly summary: string; readonly value: { readonly status: number } }>
    >
  }
}

interface NamedOperation {
  readonly method: string
  readonly path: string
  readonly operation: Operation
}

/** The text of each page by its file name. */
export function renderApi(document: ApiDocument): Map<string, string> {
  const places = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): NamedOperation => ({
      method: method.toUpperCase(),
      path,
      operation,
    })),
  )
  const pages = new Map<string, string>()
  const resources = document.tags.map(({ name }) => ({
    name,
    list: places.filter(({ operation }) => operation.tags.includes(name)),
  }))
  for (const { name, list } of resources) pages.set(`${name}.md`, renderPage(name, list))
  pages.set('README.md', renderIndex(document, resources))
  return pages
}

const titleOf = (name: string) => name[0]!.toUpperCase() + name.slice(1).replaceAll('-', ' ')

function renderIndex(
  { components }: ApiDocument,
  resources: readonly { name: string; list: readonly NamedOperation[] }[],
): string {
  const rows = resources.flatMap(({ name, list }) =>
    list.map(({ method, path, operation: { operationId, summary } }) => {
      const anchor = operationId.replaceAll('.', '')
      return `| [${operationId}](${name}.md#${anchor}) | \`${method} ${path}\` | ${summary} |`
    }),
  )
  const problems = Object.entries(components.examples).map(
    ([code, { summary, value }]) => `| \`${code}\` | ${value.status} | ${summary} |`,
  )
  return [
    '# The API',
    'Every server describes itself in `/openapi.json` (OpenAPI 3.1), from which these pages are made. OData has [a page of its own](../ODATA.md).',
    '',
    'A request carries `Authorization: Bearer …`, or the cookie of a session. Lists come in pages: `next` is the `after` of the next page, and null on the last. What is refused is answered with a problem document (RFC 9457),',
    'whose `code` is stable and whose `detail` is for people.',
    '',
    '```json',
    JSON.stringify(components.examples['fleet_not_found']?.value, null, 2),
    '```',
    '',
    '## Routes',
    '',
    '| route | address | what it does |',
    '| --- | --- | --- |',
    ...rows,
    '',
    '## Problems',
    '',
    '| code | status | means |',
    '| --- | --- | --- |',
    ...problems,
    '',
  ].join('\n')
}

function renderPage(name: string, list: readonly NamedOperation[]): string {
  const head = `# ${titleOf(name)}\n\nMade from \`/openapi.json\`; [all routes and problems](README.md).\n`
  return [head, ...list.map(renderOperation)].join('\n')
}

/** Who may call it, by the kind of its caller. */
const callers: Readonly<Record<string, string>> = {
  public: 'Anybody may call it.',
  actor: 'Called with a token or a session',
  session: 'Called with a person’s session, and with no token',
  pairing: 'Called by a command line that has no credential yet.',
  'provisioning-key': 'Called with a provisioning key',
  'device-assertion': 'Called by a device, with an assertion that its key has signed in the body.',
  device: 'Called with a device’s access token',
}

function callersOf(operation: Operation): string {
  const permission = operation.security.flatMap((one) => Object.values(one).flat())[0]
  const who = callers[operation['x-seaworthy-auth']]!
  const sentences = [permission === undefined ? who : `${who}; it needs \`${permission}\`.`]
  if (operation['x-seaworthy-step-up'] === true) {
    sentences.push('A person must have confirmed with a passkey within the last five minutes.')
  }
  const approval = operation['x-seaworthy-approval']
  if (approval !== undefined) {
    sentences.push(`Rules may ask another person’s approval (\`${approval}\`).`)
  }
  return sentences.join(' ')
}

function renderOperation({ method, path, operation }: NamedOperation): string {
  const { operationId, summary, parameters, requestBody, responses } = operation
  const lines = [`## ${operationId}`, '', `\`${method} ${path}\``, '', summary, '']
  lines.push(callersOf(operation), '')
  const fields = [
    ...parameters.map(({ name, in: place, required, schema }) => ({
      name,
      place,
      required,
      schema,
    })),
    ...membersOf(requestBody?.content['application/json']?.schema),
  ]
  if (fields.length > 0) {
    lines.push('| member | in | form |', '| --- | --- | --- |')
    for (const { name, place, required, schema } of fields) {
      lines.push(`| \`${name}\`${required ? '' : ' (optional)'} | ${place} | ${formOf(schema)} |`)
    }
    lines.push('')
  }
  const body = requestBody?.content['application/json']
  if (body !== undefined) lines.push('Request:', ...jsonBlock(body.example))
  for (const [status, { content }] of Object.entries(responses)) {
    const reply = content?.['application/json']
    if (reply !== undefined) lines.push(`Answer, ${status}:`, ...jsonBlock(reply.example))
    else if (status === '204') lines.push('Answer: 204, without a body.', '')
  }
  lines.push('Refused with:', '')
  for (const [status, { content }] of Object.entries(responses)) {
    const codes = Object.keys(content?.[problemMediaType]?.examples ?? {})
    if (codes.length > 0)
      lines.push(`- ${status}: ${codes.map((code) => `\`${code}\``).join(', ')}`)
  }
  lines.push('')
  return lines.join('\n')
}

function jsonBlock(value: unknown): string[] {
  return ['```json', JSON.stringify(value, null, 2), '```', '']
}

interface Field {
  readonly name: string
  readonly place: string
  readonly required: boolean
  readonly schema: Schema
}

function membersOf(schema: Schema | undefined): Field[] {
  const properties = (schema?.['properties'] ?? {}) as Record<string, Schema>
  const required = (schema?.['required'] ?? []) as string[]
  return Object.entries(properties).map(([name, one]) => ({
    name,
    place: 'body',
    required: required.includes(name),
    schema: one,
  }))
}

/** What a value looks like, in a few words. */
function formOf(schema: Schema): string {
  const choices = (schema['anyOf'] ?? schema['oneOf']) as readonly Schema[] | undefined
  if (choices !== undefined) return [...new Set(choices.map(formOf))].join(' or ')
  if (schema['const'] !== undefined) return `\`${JSON.stringify(schema['const'])}\``
  const values = schema['enum'] as readonly unknown[] | undefined
  if (values !== undefined) return values.map((one) => `\`${JSON.stringify(one)}\``).join(', ')
  if (typeof schema['$ref'] === 'string') return 'JSON'
  switch (schema.type) {
    case 'string':
      return formOfText(schema)
    case 'integer':
    case 'number':
      return formOfNumber(schema)
    case 'array':
      return `list of ${formOf(schema['items'] as Schema)}`
    case 'object':
      return formOfObject(schema)
    case undefined:
    default:
      return String(schema.type ?? 'JSON')
  }
}

function formOfText({ pattern, maxLength, format }: Schema): string {
  if (format === 'date-time') return 'time'
  const isAny = pattern === undefined || pattern.startsWith('^[^\\u0000')
  if (!isAny) return `text \`${pattern.replaceAll('|', '\\|')}\``
  return maxLength === undefined ? 'text' : `text of at most ${maxLength as number} characters`
}

function formOfNumber({ type, minimum, maximum, exclusiveMinimum }: Schema): string {
  const kind = type === 'integer' ? 'whole number' : 'number'
  const from = minimum ?? exclusiveMinimum
  if (typeof from !== 'number' || Math.abs(from) > 2 ** 52) return kind
  const isOpen = typeof maximum !== 'number' || maximum > 2 ** 52
  return isOpen ? `${kind} from ${from}` : `${kind}, ${from} to ${maximum}`
}

function formOfObject(schema: Schema): string {
  const properties = schema['properties'] as Record<string, Schema> | undefined
  if (properties === undefined) return 'object of names and values'
  return `object of ${Object.keys(properties)
    .map((name) => `\`${name}\``)
    .join(', ')}`
}

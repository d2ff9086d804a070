/**
 * The JSON Schema of `seaworthy.json`. The names and limits in it are those that
 * `parseBundleManifest` goes by; a test compares the verdicts of both.
 */

export const commandItemsMax = 256
export const commandItemLengthMax = 8192
export const secondsMax = 86_400
/** The most variables of a bundle: a fleet may set as many. */
export const defaultsMax = 50
export const defaultLengthMax = 4096
export const variableNameForm = '^[A-Z][A-Z0-9_]{0,63}$'
export const windowSecondsDefault = 120
export const stopSecondsDefault = 20

/** The keywords of JSON Schema that the schema is written with. */
export interface JsonSchema {
  readonly type?: 'object' | 'array' | 'string' | 'number'
  readonly title?: string
  readonly description?: string
  readonly default?: unknown
  readonly examples?: readonly unknown[]
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: JsonSchema | false
  readonly propertyNames?: JsonSchema
  readonly maxProperties?: number
  readonly not?: JsonSchema
  readonly prefixItems?: readonly JsonSchema[]
  readonly items?: JsonSchema
  readonly minItems?: number
  readonly maxItems?: number
  readonly enum?: readonly string[]
  readonly pattern?: string
  readonly maxLength?: number
  readonly exclusiveMinimum?: number
  readonly maximum?: number
}

const seconds = (description: string, preset: number): JsonSchema => ({
  description,
  type: 'number',
  exclusiveMinimum: 0,
  maximum: secondsMax,
  default: preset,
})

const command = (description: string, examples: readonly (readonly string[])[]): JsonSchema => ({
  description,
  type: 'array',
  minItems: 1,
  maxItems: commandItemsMax,
  prefixItems: [{ type: 'string', pattern: '^[^=\\u0000]+$', maxLength: commandItemLengthMax }],
  items: { type: 'string', pattern: '^[^\\u0000]*$', maxLength: commandItemLengthMax },
  examples,
})

const health = {
  http: {
    description:
      'Address that must answer with a status of 200 to 399; ${NAME} becomes a value of the device. Not together with exec.',
    type: 'string',
    examples: ['http://127.0.0.1:${PORT}/health'],
  },
  exec: command('Program that must end with exit code 0. Not together with http.', [
    ['./bin/healthy'],
  ]),
  windowSeconds: seconds(
    'How long the application has after a start to become healthy and stay so.',
    windowSecondsDefault,
  ),
} satisfies Record<string, JsonSchema>

const variables = {
  onChange: {
    description:
      'What is done to the running application when its variables or secrets have changed: restart it, or send it SIGHUP.',
    type: 'string',
    enum: ['restart', 'signal'],
    default: 'restart',
  },
  defaults: {
    description: 'Values of variables that nobody has set for the fleet or the device.',
    type: 'object',
    maxProperties: defaultsMax,
    propertyNames: { pattern: variableNameForm },
    additionalProperties: { type: 'string', maxLength: defaultLengthMax },
    default: {},
  },
} satisfies Record<string, JsonSchema>

const properties = {
  start: command(
    'Program and arguments of the application. A path that starts with ./ lies in the release; ${NAME} becomes a value of the device.',
    [['./bin/app', '--port', '${PORT}']],
  ),
  health: {
    description:
      'How a device finds out whether a new release is well. Without it, an application is well while it runs.',
    type: 'object',
    additionalProperties: false,
    properties: health,
    not: { required: ['http', 'exec'] },
  },
  stopSeconds: seconds(
    'How long the application has to end after SIGTERM before it is killed.',
    stopSecondsDefault,
  ),
  sandbox: {
    description:
      'Reserved: it has no members yet, and a device refuses those that it cannot enforce.',
    type: 'object',
    additionalProperties: false,
    properties: {},
  },
  variables: {
    description: 'What the application expects of its variables.',
    type: 'object',
    additionalProperties: false,
    properties: variables,
  },
} satisfies Record<string, JsonSchema>

export const bundleManifestSchema = {
  title: 'seaworthy.json',
  description: 'At the root of a bundle: how a device starts it and finds out whether it is well.',
  type: 'object',
  required: ['start'],
  additionalProperties: false,
  properties,
} satisfies JsonSchema

/** The members that are known, by the object that has them. */
export const bundleManifestMembers = {
  root: Object.keys(properties),
  health: Object.keys(health),
  variables: Object.keys(variables),
  sandbox: [],
} as const satisfies Record<string, readonly string[]>

/** What the command line of `seaworthy export` and `import` hands on, as text and as values. */
import { parseArgs } from 'node:util'
import { placeOptionNames } from '@seaworthy/api/up-options'
import type { Env } from '../config/env.ts'
import { readEnv } from '../config/env.ts'
import type { SettingSources } from '../config/settings.ts'
import { UsageError } from '../config/settings.ts'

export interface TransferLine {
  readonly verb: 'export' | 'import'
  readonly folder: string
  readonly json: boolean
  /** The digest that the export printed; `null` when nobody knows it. */
  readonly sha256: string | null
  /** The options that `up` has too. */
  readonly env: Env
}

/** Throws `UsageError`. */
export function readTransferLine({ argv, variables, readFile }: SettingSources): TransferLine {
  const [verb, folder, ...args] = argv
  if ((verb !== 'export' && verb !== 'import') || folder === undefined) {
    const given = argv.length === 0 ? 'nothing' : argv.join(' ')
    throw new UsageError(`this takes export DIR or import DIR, and was given ${given}`)
  }
  const places = verb === 'import' ? [...placeOptionNames, 'master-key-file'] : placeOptionNames
  const text = { type: 'string' as const }
  let values: Record<string, string | boolean | undefined>
  try {
    values = parseArgs({
      args,
      options: {
        ...Object.fromEntries(places.map((name) => [name, text])),
        ...(verb === 'import' ? { sha256: text } : {}),
        json: { type: 'boolean' },
      },
      strict: true,
      allowPositionals: false,
    }).values
  } catch (cause) {
    throw new UsageError(cause instanceof Error ? cause.message : 'wrong options', { cause })
  }
  const { json, sha256, ...given } = values
  if (typeof sha256 === 'string' && !/^[0-9a-f]{64}$/.test(sha256)) {
    throw new UsageError('--sha256 takes the 64 hex digits that the export printed')
  }
  const forServer = Object.entries(given).flatMap(([name, value]) =>
    typeof value === 'string' ? [`--${name}`, value] : [],
  )
  return {
    ...{ verb, folder, json: json === true },
    sha256: typeof sha256 === 'string' ? sha256 : null,
    env: readEnv({ argv: forServer, variables, readFile }),
  }
}

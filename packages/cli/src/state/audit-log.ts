/**
 * The memory that makes rewriting history visible: the last checkpoint believed, per server,
 * compared at every contact. A checkpoint that contradicts it is kept beside it as evidence, and
 * the command ends.
 */
import { hash } from 'node:crypto'
import { join } from 'node:path'
import { equalBytes, hexDecode, utf8Decode } from '@seaworthy/std/bytes'
import type { Transport } from '@seaworthy/std/http'
import { readBody } from '@seaworthy/std/http'
import type { Random } from '@seaworthy/std/random'
import type { Sleep } from '@seaworthy/std/time'
import type {
  Checkpoint,
  FetchLogFile,
  LogContact,
  LogPolicy,
  LogVerdict,
} from '@seaworthy/trust/tlog'
import {
  LogError,
  noteBytesMax,
  parseNoteKey,
  verifyCheckpoint,
  verifyLog,
} from '@seaworthy/trust/tlog'
import { CliError } from '../failure.ts'
import { withFileLock } from './file-lock.ts'
import { makePrivateFolder, writeDurably } from './files.ts'
import { keptFile, readKept, writeKept } from './kept-files.ts'

export interface LogSettings {
  /** Origin of the server. */
  url: string
  /** The verifier key remembered at login. */
  verifierKey: string
  /** The folder in which the checkpoint is remembered. */
  folder: string
  transport: Transport
  /** The token that the server asks for before it serves entries. */
  token: string
  random: Random
  sleep: Sleep
  signal: AbortSignal
}

export interface LogCheck {
  verdict: LogVerdict
  checkpoint: Checkpoint
  /** The contact for reading entries, as it was before this checkpoint was remembered. */
  contact: LogContact
}

const sha256 = (bytes: Uint8Array) => new Uint8Array(hexDecode(hash('sha256', bytes, 'hex')))

/** A checkpoint whose signature is right, with its bytes. */
interface SeenCheckpoint {
  note: Uint8Array
  checkpoint: Checkpoint
}

export interface LogComparison {
  remembered: SeenCheckpoint | undefined
  /** `undefined` where the server serves no log. */
  served: SeenCheckpoint | undefined
  /** The contact for reading the log that is served, whatever was seen before. */
  contact: LogContact | undefined
  /**
   * How the checkpoint served follows the one remembered, or that it does not. `undefined` where
   * there is neither of them.
   */
  outcome: LogVerdict | LogError | undefined
}

/**
 * Fetches the checkpoint and compares it with the one remembered: the same size needs the same
 * root, a larger one a consistency proof, a smaller one is refused. Remembers nothing. Throws where
 * it cannot tell, because of a wrong signature or a missing tile.
 */
export async function compareLog(settings: LogSettings): Promise<LogComparison> {
  const key = await parseNoteKey(settings.verifierKey)
  const policy: LogPolicy = { origin: key.name, logKeys: [key], witnesses: [], witnessesMin: 0 }
  const rememberedNote = await readKept(checkpointFile(settings))
  const remembered = rememberedNote && {
    note: rememberedNote,
    checkpoint: await readRemembered(rememberedNote, policy, settings),
  }
  const fetch = fetchLogFile(settings)
  const note = await fetch('checkpoint', noteBytesMax)
  if (note === undefined) {
    const outcome =
      remembered &&
      new LogError(
        'log_truncated',
        'the audit log that this program has seen is not served any more',
      )
    return { remembered, served: undefined, contact: undefined, outcome }
  }
  const checkpoint = await verifyCheckpoint(note, policy)
  const contact: LogContact = { current: checkpoint, fetch, sha256 }
  const compared = { remembered, served: { note, checkpoint }, contact }
  try {
    const seen = remembered && { remembered: remembered.checkpoint }
    return { ...compared, outcome: await verifyLog({ ...seen, ...contact }) }
  } catch (error) {
    if (!isContradiction(error)) throw error
    return { ...compared, outcome: error }
  }
}

function isContradiction(error: unknown): error is LogError {
  return (
    error instanceof LogError && (error.code === 'log_forked' || error.code === 'log_truncated')
  )
}

type ServerFolder = Pick<LogSettings, 'folder'>

const checkpointFile = ({ folder }: ServerFolder) => keptFile(folder, 'checkpoint')

export const checkpointPath = (at: ServerFolder): string => checkpointFile(at).path

/**
 * Compares, and remembers the new checkpoint. Throws `LogError`, and keeps a contradicting
 * checkpoint beside the one remembered. Where another command has remembered a checkpoint
 * meanwhile, it compares with that: none takes the memory back, and none is shown another history.
 */
export async function checkLog(settings: LogSettings): Promise<LogCheck | undefined> {
  for (;;) {
    const checked = await checkOnce(settings)
    if (checked !== 'overtaken') return checked
  }
}

async function checkOnce(settings: LogSettings): Promise<LogCheck | 'overtaken' | undefined> {
  const { remembered, served, contact, outcome } = await compareLog(settings)
  const path = checkpointPath(settings)
  if (outcome instanceof LogError) {
    if (served === undefined) throw outcome
    const evidence = keptFile(settings.folder, 'checkpoint.contradicting')
    await writeKept(evidence, served.note, settings)
    throw new LogError(
      outcome.code,
      `${outcome.message}; what was seen before is in ${path}, what contradicts it in ${evidence.path}`,
    )
  }
  if (served === undefined || contact === undefined || outcome === undefined) return undefined
  if (outcome.kind !== 'unchanged') {
    await makePrivateFolder(settings.folder)
    if (!(await replaceRemembered(settings, remembered, served))) return 'overtaken'
  }
  const seen = remembered && { remembered: remembered.checkpoint }
  return { verdict: outcome, checkpoint: served.checkpoint, contact: { ...seen, ...contact } }
}

/** False, and nothing is done, where another command has remembered a checkpoint meanwhile. */
async function replaceRemembered(
  settings: Pick<LogSettings, 'folder' | 'random' | 'sleep' | 'signal'>,
  remembered: SeenCheckpoint | undefined,
  served: SeenCheckpoint,
): Promise<boolean> {
  const file = checkpointFile(settings)
  return await withFileLock(settings, file.path, async () => {
    const note = await readKept(file)
    const isSame =
      note === undefined || remembered === undefined
        ? note === remembered
        : equalBytes(note, remembered.note)
    if (isSame) await writeKept(file, served.note, settings)
    return isSame
  })
}

/**
 * Remembers the log that is served instead of the one that it contradicts, once a person has found
 * out why and says so. Both checkpoints are kept with the reason in a file of their own, written
 * before anything is forgotten. Returns its path.
 */
export async function acceptLog(
  settings: Pick<LogSettings, 'folder' | 'random' | 'sleep' | 'signal'>,
  comparison: Pick<LogComparison, 'remembered'> & { served: SeenCheckpoint; outcome: LogError },
  { reason, now }: { reason: string; now: Date },
): Promise<string> {
  const { remembered, served, outcome } = comparison
  const { random } = settings
  const at = now.toISOString()
  const path = join(settings.folder, `log-accepted-${at.replaceAll(/[:.]/g, '-')}.json`)
  const evidence = {
    acceptedAt: at,
    reason,
    contradiction: outcome.code,
    remembered: remembered === undefined ? null : utf8Decode(remembered.note),
    accepted: utf8Decode(served.note),
  }
  await writeDurably(path, `${JSON.stringify(evidence, undefined, 2)}\n`, { random, isNew: true })
  if (await replaceRemembered(settings, remembered, served)) return path
  throw new CliError('refused', 'another command has remembered another checkpoint meanwhile', {
    wayOut: 'Run the same command again: it compares with that one.',
  })
}

async function readRemembered(
  note: Uint8Array,
  policy: LogPolicy,
  at: ServerFolder,
): Promise<Checkpoint> {
  const file = checkpointFile(at)
  try {
    return await verifyCheckpoint(note, policy)
  } catch (cause) {
    throw new CliError(
      'refused',
      `${file.path} is damaged or swapped: it is no checkpoint of this log`,
      { cause, wayOut: file.wayOut },
    )
  }
}

function fetchLogFile({ url, transport, token, signal }: LogSettings): FetchLogFile {
  return async (path, bytesMax) => {
    const response = await transport({
      method: 'GET',
      url: `${url}/log/${path}`,
      headers: { authorization: `Bearer ${token}` },
      ...(signal === undefined ? {} : { signal }),
    })
    if (response.status === 200) return await readBody(response, bytesMax)
    for await (const _ of response.body) break
    if (response.status === 404) return undefined
    throw new CliError('failed', `the audit log answers ${response.status} for ${path}`, {
      wayOut: 'Try again; if it stays so, ask whoever runs the server for its log.',
    })
  }
}

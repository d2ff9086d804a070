/**
 * The memory that makes rewriting history visible: the last checkpoint believed, per server, compared at every contact.
 * A checkpoint that contradicts it is kept beside it as evidence, and nothing goes on.
 */
import { hash } from 'node:crypto'
import { join } from 'node:path'
import { hexDecode } from '@seaworthy/std/bytes'
import type { Transport } from '@seaworthy/std/http'
import { readBody } from '@seaworthy/std/http'
import type { Random } from '@seaworthy/std/random'
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
import { makePrivateFolder, readIfThere, writeDurably } from './files.ts'

export interface LogSettings {
  /** Origin of the server. */
  url: string
  /** The verifier key remembered at login. */
  verifierKey: string
  /** Where the checkpoint is remembered. */
  folder: string
  transport: Transport
  /** Entries are not for everybody. */
  token: string
  random: Random
  signal?: AbortSignal
}

export interface LogCheck {
  verdict: LogVerdict
  checkpoint: Checkpoint
  /** For reading entries: the contact as it was before this checkpoint was remembered. */
  contact: LogContact
}

const sha256 = (bytes: Uint8Array) => new Uint8Array(hexDecode(hash('sha256', bytes, 'hex')))

/**
 * Fetches the checkpoint and compares it with the one remembered: the same size needs the same root, a larger one a consistency
 * proof, a smaller one is refused. Remembers the new one. Throws `LogError`, and `CliError` where a log that was seen is gone.
 */
export async function checkLog(settings: LogSettings): Promise<LogCheck | undefined> {
  const path = join(settings.folder, 'checkpoint')
  const key = await parseNoteKey(settings.verifierKey)
  const policy: LogPolicy = { origin: key.name, logKeys: [key], witnesses: [], witnessesMin: 0 }
  const rememberedNote = await readIfThere(path, noteBytesMax)
  const remembered = rememberedNote && (await readRemembered(rememberedNote, policy, path))
  const fetch = fetchLogFile(settings)
  const note = await fetch('checkpoint', noteBytesMax)
  if (note === undefined) {
    if (remembered === undefined) return undefined
    throw new LogError(
      'log_truncated',
      'the audit log that this program has seen is not served any more',
    )
  }
  const checkpoint = await verifyCheckpoint(note, policy)
  const contact: LogContact = {
    ...(remembered && { remembered }),
    current: checkpoint,
    fetch,
    sha256,
  }
  try {
    const verdict = await verifyLog(contact)
    if (verdict.kind !== 'unchanged') {
      await makePrivateFolder(settings.folder)
      await writeDurably(path, note, { random: settings.random })
    }
    return { verdict, checkpoint, contact }
  } catch (error) {
    if (
      error instanceof LogError &&
      (error.code === 'log_forked' || error.code === 'log_truncated')
    ) {
      await writeDurably(`${path}.contradicting`, note, { random: settings.random })
    }
    throw error
  }
}

async function readRemembered(
  note: Uint8Array,
  policy: LogPolicy,
  path: string,
): Promise<Checkpoint> {
  try {
    return await verifyCheckpoint(note, policy)
  } catch (cause) {
    throw new CliError('refused', `${path}: the remembered checkpoint is not one of this log`, {
      cause,
      wayOut:
        'It was damaged or swapped. Without it, rewritten history cannot be noticed: restore it from a backup.',
    })
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

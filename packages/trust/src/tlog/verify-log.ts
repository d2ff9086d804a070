/**
 * A client with a memory: every contact with a log is checked against the last checkpoint it
 * believed.
 */
import { equalBytes } from '@seaworthy/std/bytes'
import { LogError } from './codes.ts'
import type { TreeHead } from './checkpoint.ts'
import { hashTree, type Sha256 } from './merkle.ts'
import { climbToRoots, planConsistency, readRanges } from './proofs.ts'
import { createNodeReader, type FetchLogFile, type LogEntry, readEntries } from './tile-reader.ts'

/**
 * What the contact showed: no memory to compare with, the very same tree, or the old one with more
 * behind it.
 */
export type LogVerdict =
  | { readonly kind: 'first_seen'; readonly added: number }
  | { readonly kind: 'unchanged'; readonly added: 0 }
  | { readonly kind: 'extended'; readonly added: number }

export interface LogContact {
  /**
   * The last tree head this client believed, from its own disk; absent at the first contact only.
   */
  readonly remembered?: TreeHead
  /** The tree head that the log shows now, as `verifyCheckpoint` returned it. */
  readonly current: TreeHead
  readonly fetch: FetchLogFile
  readonly sha256: Sha256
}

/**
 * Checks that nothing the client saw before was changed or taken away. The caller stores `current`
 * in the place of `remembered` only after this has returned, and keeps both when it throws: two
 * signed checkpoints that contradict each other are the proof of the fork.
 *
 * Throws `log_truncated`, `log_forked`; `tile_missing`, `tile_malformed`, `tile_mismatch` when the
 * tiles served do not support the signed checkpoint, which says nothing about history but is no
 * success either.
 */
export async function verifyLog(contact: LogContact): Promise<LogVerdict> {
  const { remembered, current, sha256 } = contact
  const emptyRoot = hashTree(sha256, [])
  for (const head of remembered ? [remembered, current] : [current]) {
    if (head.size === 0 && !equalBytes(head.root, emptyRoot)) {
      throw new LogError('log_forked', 'a log without entries has a root that it cannot have')
    }
  }
  if (!remembered) return { kind: 'first_seen', added: current.size }
  if (remembered.origin !== current.origin) {
    throw new LogError('checkpoint_origin', 'the checkpoint remembered is of another log')
  }
  if (current.size < remembered.size) {
    throw new LogError(
      'log_truncated',
      `the log had ${remembered.size} entries and now has ${current.size}: it was cut, or an old copy restored`,
    )
  }
  if (current.size === remembered.size) {
    if (equalBytes(current.root, remembered.root)) return { kind: 'unchanged', added: 0 }
    throw new LogError('log_forked', 'the same number of entries, but not the same ones')
  }
  if (remembered.size > 0) await verifyExtension(remembered, contact)
  return { kind: 'extended', added: current.size - remembered.size }
}

/**
 * Both roots are computed from the tiles. If they give the current root they are the real tree, so
 * an old root that differs then is a rewritten history and not just a broken mirror.
 */
async function verifyExtension(remembered: TreeHead, contact: LogContact): Promise<void> {
  const { current, fetch, sha256 } = contact
  const read = createNodeReader({ size: current.size, fetch, sha256 })
  const { shared, steps } = planConsistency(remembered.size, current.size)
  const [sharedHash, ...siblings] = await readRanges(sha256, read, [
    shared,
    ...steps.map((s) => s.sibling),
  ])
  const { oldRoot, newRoot } = climbToRoots(sha256, sharedHash!, steps, siblings)
  if (!equalBytes(newRoot, current.root)) {
    throw new LogError('tile_mismatch', 'the tiles do not give the root of the signed checkpoint')
  }
  if (!equalBytes(oldRoot, remembered.root)) {
    throw new LogError('log_forked', 'entries that were seen before are not in the log any more')
  }
}

/**
 * The entries since the remembered checkpoint (or since `firstIndex`), after `verifyLog`: each is
 * proved to be under the current root before it is given. Throws `entry_mismatch`, `tile_missing`,
 * `tile_malformed`.
 */
export async function* verifyEntries(
  contact: LogContact,
  firstIndex = contact.remembered?.size ?? 0,
): AsyncGenerator<LogEntry> {
  await verifyLog(contact)
  yield* readEntries(
    { ...contact.current, fetch: contact.fetch, sha256: contact.sha256 },
    firstIndex,
  )
}

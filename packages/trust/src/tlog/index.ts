/**
 * The transparency log: hashing, proofs, tiles, signed checkpoints, and the client that notices
 * rewritten history.
 */
export { appendLeaves, emptyLogEdge, hashEdge, type LogEdge, type StoredTile } from './append.ts'
export {
  type Checkpoint,
  type Cosignature,
  formatTreeHead,
  type LogPolicy,
  parseTreeHead,
  signCheckpoint,
  type TreeHead,
  verifyCheckpoint,
} from './checkpoint.ts'
export { LogError, type LogTrustCode } from './codes.ts'
export { hashLeaf, hashTree, type Sha256, type TreeNode } from './merkle.ts'
export {
  proveConsistency,
  proveInclusion,
  type ReadNodes,
  verifyConsistency,
  verifyInclusion,
} from './proofs.ts'
export {
  createNoteKey,
  formatCosignature,
  formatNoteKey,
  noteBytesMax,
  type NoteKey,
  type NoteKeyType,
  type NoteSignature,
  type NoteSigner,
  parseNoteKey,
  signNote,
  type VerifiedNote,
  verifyNote,
} from './note.ts'
export {
  createNodeReader,
  type FetchLogFile,
  type LogEntry,
  type LogSource,
  readEntries,
  readLogEdge,
} from './tile-reader.ts'
export {
  countAtLevel,
  countTileLevels,
  encodeEntryBundle,
  entryBundleBytesMax,
  entryBytesMax,
  formatTilePath,
  parseEntryBundle,
  parseTile,
  parseTilePath,
  type Tile,
  tileAt,
  tileBytesMax,
  tileWidth,
} from './tiles.ts'
export { type LogContact, type LogVerdict, verifyEntries, verifyLog } from './verify-log.ts'

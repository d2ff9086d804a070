/**
 * The transparency log: hashing, proofs, tiles, signed checkpoints, and the client that notices
 * rewritten history.
 */
export { appendLeaves, emptyLogEdge, hashEdge, type LogEdge, type StoredTile } from './append.ts'
export {
  type Checkpoint,
  formatTreeHead,
  type LogPolicy,
  parseTreeHead,
  signCheckpoint,
  type TreeHead,
  verifyCheckpoint,
} from './checkpoint.ts'
export { LogError, type LogTrustCode } from './codes.ts'
export { hashLeaf } from './merkle.ts'
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
  type NoteKeyType,
  type NoteSigner,
  parseNoteKey,
} from './note.ts'
export {
  createNodeReader,
  type FetchLogFile,
  type LogEntry,
  readEntries,
  readLogEdge,
} from './tile-reader.ts'
export {
  countAtLevel,
  countTileLevels,
  encodeEntryBundle,
  entryBundleBytesMax,
  formatTilePath,
  parseEntryBundle,
  parseTile,
  parseTilePath,
  type Tile,
  tileAt,
  tileWidth,
} from './tiles.ts'
export { type LogContact, type LogVerdict, verifyEntries, verifyLog } from './verify-log.ts'

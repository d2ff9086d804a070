/**
 * Statements that a release is affected by a vulnerability, or not, although a record says
 * otherwise (VEX, R13). Promises: a statement says why, or what to do; one that later releases
 * inherit ends; reading and writing the formats of others loses nothing that a statement holds. Not
 * handled here: which releases a statement holds for, which the database joins.
 */
export type { VexDocument } from './document.ts'
export type { VexFormat } from './formats.ts'
export { readVexDocument, vexFormats, writeVexDocument } from './formats.ts'
export type { VexClaim, VexFault, VexJustification, VexStatement, VexStatus } from './statement.ts'
export { requireSoundClaim } from './statement.ts'

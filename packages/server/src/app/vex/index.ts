/**
 * What people state of vulnerabilities in releases (RFD 47). Promises: a statement is about a
 * component that the release has, says why, and is on record with who answers for it; it holds no
 * more once it has expired or a record of the flaw says something else of the component. Not
 * handled here: what follows for what is counted (`app/vulnerabilities`), and what a statement must
 * say, which is pure (`response/vex`).
 */
export { importVexStatements } from './imports.ts'
export {
  listReleaseVexStatements,
  listVexStatements,
  recordVexStatement,
  setVexStatement,
  showVexStatement,
  viewVexStatement,
  withdrawVexStatement,
} from './statements.ts'

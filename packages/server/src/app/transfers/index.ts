/**
 * A whole server as a folder of open formats, and back: tables as JSON lines, release content as
 * OCI layouts, signed metadata and audit log as files. Promises: one snapshot of the database, and
 * all content that it names; no secret in clear, and no column that nobody has decided about; what
 * was cut or changed is refused by name; an import happens whole or not at all, into an empty
 * server only. Not handled here: the master key, which is carried apart, and who runs it (the
 * host's operator, who has all of it anyway).
 */
export { exportServer } from './export.ts'
export { checkExport, importServer } from './import.ts'
export { refuse } from './refusals.ts'

/** The part of the wall that no flag of Node closes (RFD 10). */

/**
 * Takes away the reports that Node writes of a process when its memory is exhausted: into any file
 * that the process names, whatever the permission model allows it.
 */
export function giveUpLastReports(): void {
  Reflect.deleteProperty(process, 'report')
}

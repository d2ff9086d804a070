/** One agent per state folder. */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { Refusal } from '@seaworthy/std/refusal'

function identityOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' ? undefined : `${pid}.${fields[19]}`
  } catch {
    return undefined
  }
}

/**
 * Throws `Refusal<'state_locked'>` while the process that holds the lock lives; the lock needs no
 * release.
 */
export function lockState(stateDir: string): void {
  const path = `${stateDir}/agent.lock`
  let holder = ''
  try {
    holder = readFileSync(path, 'utf8')
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
  }
  const pid = Number(holder.split('.')[0])
  if (holder !== '' && pid !== process.pid && identityOf(pid) === holder) {
    throw new Refusal<'state_locked'>(
      'state_locked',
      `another agent (process ${pid}) uses ${stateDir}`,
    )
  }
  // The file is made anew, so that no link is written through.
  rmSync(`${path}.new`, { force: true })
  writeFileSync(`${path}.new`, identityOf(process.pid) ?? '', { flag: 'wx' })
  renameSync(`${path}.new`, path)
}

/** One agent per state folder. */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { Refusal } from '@seaworthy/std/refusal'
import { readSmallFile } from './small-file.ts'

const lockBytesMax = 256

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
    holder = readSmallFile(path, lockBytesMax).toString('utf8')
  } catch (error) {
    // What is no lock of an agent names nobody who holds it.
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    if (!['ENOENT', 'EISDIR', 'EINVAL', 'EFBIG', 'ELOOP', 'ENXIO'].includes(code)) throw error
    if (code === 'EISDIR') rmSync(path, { recursive: true })
  }
  const pid = Number(holder.split('.')[0])
  if (holder !== '' && pid !== process.pid && identityOf(pid) === holder) {
    throw new Refusal<'state_locked'>(
      'state_locked',
      `another agent (process ${pid}) uses ${stateDir}`,
    )
  }
  // The file is made anew, so that no link is written through.
  rmSync(`${path}.new`, { recursive: true, force: true })
  writeFileSync(`${path}.new`, identityOf(process.pid) ?? '', { flag: 'wx' })
  renameSync(`${path}.new`, path)
}

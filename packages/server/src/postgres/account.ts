import { readFile } from 'node:fs/promises'
import type { ProcessAccount } from './binaries.ts'

/**
 * PostgreSQL refuses to run as root. It gets the account `postgres` where there is one, otherwise
 * 65534 (`nobody`).
 */
export async function findAccount(): Promise<ProcessAccount> {
  const lines = (await readFile('/etc/passwd', 'utf8')).split('\n')
  const fields = lines.map((line) => line.split(':')).find(([name]) => name === 'postgres')
  const [uid, gid] = [Number(fields?.[2]), Number(fields?.[3])]
  return Number.isInteger(uid) && Number.isInteger(gid) && uid > 0
    ? { uid, gid }
    : { uid: 65534, gid: 65534 }
}

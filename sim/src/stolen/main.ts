/**
 * Plays a thief who took the whole server while it ran. Reads the database and the master key, says
 * `stolen`, and waits for a line `serve HOST:PORT` (by then the owner's server must be gone), then
 * for names of attacks; says `attack NAME` once each is in place.
 */
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { readPossessions } from '@seaworthy/server/possessions'
import { systemClock } from '@seaworthy/std/time'
import type { ForgedAssignment } from './forge.ts'
import { createForger, isAttack } from './forge.ts'
import { serveStolen } from './serve.ts'

const text = { type: 'string' } as const
const { values } = parseArgs({
  options: { 'data-dir': text, product: text, channel: text },
  strict: true,
})
const { 'data-dir': dataDir, product, channel } = values
if (dataDir === undefined || product === undefined || channel === undefined) {
  throw new Error('--data-dir, --product and --channel are needed')
}

const now = () => systemClock.now()
const say = (line: string) => process.stdout.write(`${line}\n`)

const { tls, ...taken } = await readPossessions(dataDir)
const forger = createForger({ ...taken, product, channel }, now)
say('stolen')

let assignment: ForgedAssignment | null = null
for await (const line of createInterface({ input: process.stdin })) {
  const [word, where] = line.split(' ')
  if (word === 'serve') {
    const url = new URL(`https://${where}`)
    const port = Number(url.port)
    await serveStolen(tls, { host: url.hostname, port }, now, () => ({
      files: forger.files,
      assignment,
    }))
    say('serving')
  } else if (word !== undefined && isAttack(word)) {
    assignment = await forger.forge(word)
    say(`attack ${word}`)
  } else {
    throw new Error(`unknown order: ${line}`)
  }
}
process.exit(0)

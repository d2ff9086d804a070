/**
 * O1: the server is killed while the certificate that clients are shown changes. Clients that have
 * pinned a key or trust `/ca.crt` are never shown one key with the certificate of another, and the
 * key changes only where somebody has said that pins end.
 */
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { addServerName, showCertificate } from '@seaworthy/api/certificates'
import { utf8Decode } from '@seaworthy/std/bytes'
import { claimPort } from '@seaworthy/std/testing/ports'
import type { Db } from '../db/connection.ts'
import { readFact, setFact } from '../db/server-facts.ts'
import { pinOf } from '../app/trust/server-tls.ts'
import type { Harbour, Moment, Ship, Story } from './kill-nine.fixture.ts'
import {
  countDone,
  insist,
  killAll,
  openDirectly,
  startIn,
  untilGone,
} from './kill-nine.fixture.ts'
import { createTestAuthority } from '../testing/authority.ts'
import { becomeOwner, createTestBrowser, createTestClient } from '../testing/index.ts'

/** The key that a client is shown that trusts these roots. It must take the certificate. */
async function pinShownTo(ca: string, port: number, servername: string): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port, ca, servername })
  try {
    await once(socket, 'secureConnect')
    return pinOf(socket.getPeerX509Certificate()!.toString())
  } finally {
    socket.destroy()
  }
}

interface Naming {
  readonly name: string
  readonly pin: string
  isAdded: boolean
}

const add = ({ client }: Ship, name: string) => client.api.call(addServerName, { params: { name } })

const addName: Story<Naming> = {
  begin: ({ server }, round) =>
    Promise.resolve({ name: `ship-${round}.example`, pin: server.pin, isAdded: false }),
  async act(ship, one) {
    await add(ship, one.name)
    one.isAdded = true
  },
  async finish(ship, one) {
    const { client, server } = ship
    const look = async () => {
      const { names, pin } = await client.api.call(showCertificate, {})
      assert.equal(pin, one.pin, 'the key stays')
      const ca = utf8Decode((await client.send('GET', '/ca.crt')).bytes)
      const port = Number(new URL(server.url).port)
      const isNamed = names.includes(one.name)
      const shown = await pinShownTo(ca, port, isNamed ? one.name : 'localhost')
      assert.equal(shown, one.pin, 'who trusts the root is shown a certificate below it')
      return isNamed
    }
    const isNamed = await look()
    if (one.isAdded) assert.ok(isNamed, 'it was acknowledged')
    assert.equal(await countDone(ship, 'certificate.add-name', one.name), isNamed ? 1 : 0)
    await add(ship, one.name)
    assert.ok(await look())
    assert.equal(await countDone(ship, 'certificate.add-name', one.name), 1)
  },
}

export const certificateStories = { 'naming the server': addName } as const

const readServedPin = ({ reader }: Db) => readFact(reader, 'served-pin')

/**
 * Kills a server at its start with a certificate of its operator for another key, and
 * `--replace-pin`. Afterwards it shows the old key or the new one to whoever starts it, and the
 * other one to nobody who has not said so. `withFiles` also kills it between its two new files.
 */
export async function surviveReplacedPins(
  harbour: Harbour,
  { moments, withFiles }: { readonly moments: Iterable<Moment>; readonly withFiles: boolean },
  tell: (line: string) => void,
): Promise<{ readonly kept: number; readonly replaced: number }> {
  const dataDir = join(harbour.root, 'replaced-pins')
  await mkdir(dataDir)
  const port = await claimPort()
  const authority = await createTestAuthority()
  const place = async (name: string, text: string) => {
    await writeFile(join(dataDir, `${name}.new`), text, { mode: 0o600 })
    await rename(join(dataDir, `${name}.new`), join(dataDir, name))
  }
  const issue = async (requestPem: string) =>
    (await authority.issue(requestPem)) + authority.intermediatePem + authority.rootPem
  const first = await authority.request(['ship.example'])
  await place('own.pem', await issue(first.requestPem))
  await place('own.key', first.keyPem)
  const own = ['--tls-certificate', join(dataDir, 'own.pem'), '--tls-key', join(dataDir, 'own.key')]
  const start = (args: readonly string[]) => startIn(harbour, { dataDir, port }, args)
  const end = async () => {
    killAll(dataDir)
    await untilGone(dataDir)
  }
  const db = openDirectly(harbour)
  const outcomes = { kept: 0, replaced: 0 }
  try {
    const server = await start([])
    const made = server.pin
    const client = createTestClient(server)
    await insist(async () => void (await becomeOwner(server, createTestBrowser(server, client))))
    client.close()
    const countReplaced = () => countDone({ db }, 'server.replace-pin', 'server')
    for (const { number, moment } of moments) {
      await end()
      const before = await countReplaced()
      harbour.link.strikeAt(number, moment, () => killAll(dataDir))
      // A killed server does not start; one that was not killed must have replaced the pin, as is
      // asserted below.
      await start([...own, '--replace-pin']).catch(() => undefined)
      const isDead = harbour.link.mend()
      await end()
      const pinned = await readServedPin(db)
      const isReplaced = pinned !== undefined && pinned !== made
      if (isDead) outcomes[isReplaced ? 'replaced' : 'kept']++
      else assert.ok(isReplaced, 'whoever is not killed replaces it')
      assert.equal((await countReplaced()) - before, isReplaced ? 1 : 0)
      await assert.rejects(start(isReplaced ? [] : own), /were paired with sha256:.*--replace-pin/s)
      await end()
      const again = await start(isReplaced ? own : [])
      assert.equal(again.pin, isReplaced ? pinned : made)
      await end()
      // Back to the beginning, without a start that would only do that.
      await db.write((tx) => setFact(tx, 'served-pin', made))
      tell(`the pin, killed ${moment} commit ${number}: ${isReplaced ? 'replaced' : 'kept'}`)
      if (!isDead) break
    }
    if (withFiles) await surviveHalfReplacedFiles()
  } finally {
    await end()
    await db.close()
  }
  return outcomes

  /** The program that renews the files dies between the two, and so does the server. */
  async function surviveHalfReplacedFiles(): Promise<void> {
    await end()
    const before = await start([...own, '--replace-pin'])
    const next = await authority.request(['ship.example'])
    const certificate = await issue(next.requestPem)
    await place('own.pem', certificate)
    process.kill(before.pid, 'SIGHUP')
    assert.equal(await pinShownTo(authority.rootPem, port, 'ship.example'), before.pin)
    await end()
    const halves = /own\.pem and --tls-key .*own\.key do not belong together/s
    await assert.rejects(start([...own, '--replace-pin']), halves)
    assert.equal(await readServedPin(db), before.pin, 'what was refused replaces nothing')
    await place('own.key', next.keyPem)
    await assert.rejects(start(own), /were paired with sha256:.*--replace-pin/s)
    const after = await start([...own, '--replace-pin'])
    assert.equal(after.pin, pinOf(new X509Certificate(certificate).toString()))
    assert.equal(await pinShownTo(authority.rootPem, port, 'ship.example'), after.pin)
  }
}

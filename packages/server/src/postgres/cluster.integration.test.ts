/** Who gets into the embedded PostgreSQL, on a machine with other accounts. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { layDatabase, startTestCluster } from '../testing/prepared-database.ts'

/** Asks to be let in as `seaworthy`, and prints the kind of the first answer and its text. */
const knock = `
  const { connect } = require('node:net')
  const socket = connect(process.argv[1])
  const words = Buffer.from(['user', 'seaworthy', 'database', 'seaworthy', '', ''].join(String.fromCharCode(0)))
  const head = Buffer.alloc(8)
  head.writeInt32BE(8 + words.length, 0)
  head.writeInt32BE(196608, 4)
  socket.on('connect', () => socket.write(Buffer.concat([head, words])))
  socket.once('data', (bytes) => {
    console.log(bytes.toString('latin1').replace(/[^ -~]+/g, ' '))
    socket.destroy()
  })
  socket.on('error', (error) => console.log(error.code))
`

const skip = process.getuid?.() === 0 ? false : 'needs root'

test(
  'A6 attack: another account of the machine gets nowhere, even where the folder of the socket was opened to all',
  { skip },
  async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'seaworthy-peer-'))
    t.after(() => rm(folder, { recursive: true, force: true }))
    await layDatabase(folder)
    const cluster = await startTestCluster(folder)
    t.after(() => cluster.stop())
    const knockAs = (uid: number) => {
      const options = { encoding: 'utf8', cwd: '/', uid, gid: uid, timeout: 60_000 } as const
      return spawnSync(process.execPath, ['-e', knock, cluster.socketFile], options).stdout.trim()
    }
    const daemon = 1
    const nameless = 47_110
    assert.match(knockAs(0), /^R /)
    for (const uid of [daemon, nameless]) assert.equal(knockAs(uid), 'EACCES')
    await chmod(dirname(cluster.socketFile), 0o755)
    await chmod(cluster.socketFile, 0o777)
    assert.match(knockAs(daemon), /^E .*Peer authentication failed for user "seaworthy"/)
    assert.match(knockAs(nameless), /^E /)
    assert.match(knockAs(0), /^R /)
  },
)

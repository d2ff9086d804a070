/**
 * A link to PostgreSQL that lets a test act at one certain commit of a server: when the server has
 * asked for it and the database has not heard of it, or when the database has committed and the
 * server does not know it yet. These are all the moments at which a crash makes a difference to
 * what the database holds.
 */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect, createServer } from 'node:net'
import type { Socket } from 'node:net'

export type CommitMoment = 'before' | 'after'

export interface CommitLink {
  readonly port: number
  /**
   * Calls `act` once, at the commit with this number from now on. From then on nothing passes in
   * either direction until `mend`.
   */
  strikeAt(number: number, moment: CommitMoment, act: () => void): void
  /** Lets everything pass again, and answers whether the moment had come. */
  mend(): boolean
  close(): void
}

export async function openCommitLink(socketFile: string): Promise<CommitLink> {
  const sockets = new Set<Socket>()
  let plan: { number: number; moment: CommitMoment; act: () => void } | undefined
  let isCut = false
  const strike = () => {
    const { act } = plan!
    plan = undefined
    isCut = true
    act()
    for (const socket of sockets) socket.destroy()
  }
  const server = createServer((client) => {
    const upstream = connect({ path: socketFile })
    const countCommits = createCommitCounter()
    let isAwaited = false
    client.on('data', (part: Buffer) => {
      for (let left = countCommits(part); left > 0 && plan !== undefined; left--) {
        plan.number--
        if (plan.number > 0) continue
        if (plan.moment === 'after') isAwaited = true
        else strike()
      }
      if (!isCut) upstream.write(part)
    })
    upstream.on('data', (part: Buffer) => {
      if (isAwaited && part.includes('COMMIT\0')) strike()
      if (!isCut) client.write(part)
    })
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        sockets.delete(socket)
        other.destroy()
      })
    }
    if (isCut) client.destroy()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    strikeAt(number, moment, act) {
      plan = { number, moment, act }
    },
    mend() {
      const hasStruck = isCut
      plan = undefined
      isCut = false
      return hasStruck
    },
    close() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

/** Counts the commits that a client asks for on one connection, part by part of its bytes. */
function createCommitCounter(): (part: Buffer) => number {
  const names = new Set<string>()
  let unread: Buffer = Buffer.alloc(0)
  let isStarted = false
  return (part) => {
    unread = Buffer.concat([unread, part])
    let count = 0
    for (;;) {
      // The first message has no type.
      const head = isStarted ? 1 : 0
      if (unread.length < head + 4) return count
      const length = head + unread.readUInt32BE(head)
      if (unread.length < length) return count
      const type = isStarted ? String.fromCharCode(unread[0]!) : 'startup'
      const [first = '', second = ''] = unread.toString('latin1', head + 4, length).split('\0')
      // A statement is parsed under a name once, and run by that name from then on.
      if (type === 'P' && second === 'commit') names.add(first)
      const isCommit = (type === 'B' && names.has(second)) || (type === 'Q' && first === 'commit')
      if (isCommit) count++
      unread = unread.subarray(length)
      isStarted = true
    }
  }
}

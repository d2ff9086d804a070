/**
 * What a well-known update server for machines asks its database for one check-in of an idle
 * machine: ping, update check and one event are handled one after the other, each of which looks up
 * the group again (five queries: the group with its local settings, its channel, the package with
 * its blacklist, the package's extra action, its files) and the instance (two), 26 SELECTs in all,
 * and one upsert of the instance. The texts are put together anew each time and nothing is
 * prepared. Written from the published description of that traffic, in tables of our own; the
 * answer itself costs it nothing here.
 */
import cluster from 'node:cluster'
import { createServer } from 'node:http'
import { openDatabaseOf } from '@seaworthy/server/testing'
import { peerInstances } from './peer.ts'

const [workers, dataDir] = process.argv.slice(2)

function serve(): void {
  const db = openDatabaseOf(dataDir!)
  const select = (text: string) => db.reader.sql.unsafe(text)
  const app = 'e96281a6-d1af-4bde-9a0a-97b76e56dc57'
  const group = '5b810680-e36a-4879-b98a-4f989e80b899'

  const getGroup = async () => {
    await select(
      `select g.*, l.* from peer.groups g left join peer.group_local l on l.group_id = g.id where g.id = '${group}'`,
    )
    await select(`select c.* from peer.channel c where c.id = '${group}'`)
    await select(
      `select p.*, array_agg(b.channel_id) from peer.package p left join peer.package_channel_blacklist b on b.package_id = p.id where p.id = '${group}' group by p.id`,
    )
    await select(`select a.* from peer.flatcar_action a where a.package_id = '${group}'`)
    await select(
      `select f.* from peer.package_file f where f.package_id = '${group}' order by f.id`,
    )
  }
  const getInstance = async (id: string) => {
    await select(`select i.* from peer.instance i where i.id = '${id}'`)
    await select(
      `select ia.* from peer.instance_application ia where ia.instance_id = '${id}' and ia.application_id = '${app}'`,
    )
  }
  const checkIn = async (id: string) => {
    for (let part = 0; part < 3; part++) {
      await getGroup()
      await getInstance(id)
    }
    await db.writeRows(({ sql }) =>
      sql.unsafe(
        `insert into peer.instance_application (instance_id, application_id, group_id, version, last_check_for_updates) values ('${id}', '${app}', '${group}', '1.0.0', now()) on conflict (instance_id, application_id) do update set version = excluded.version, group_id = excluded.group_id, last_check_for_updates = excluded.last_check_for_updates`,
      ),
    )
    await getGroup()
  }

  const server = createServer((request, response) => {
    let text = ''
    request.setEncoding('utf8')
    request.on('data', (part: string) => (text += part))
    request.on('end', () => {
      const known = JSON.parse(text) as unknown
      const number = Math.floor(Math.random() * peerInstances)
      checkIn(`machine-${number}`).then(
        () => {
          const body = JSON.stringify({ status: 'noupdate', known: typeof known })
          response.writeHead(200, {
            'content-type': 'application/json',
            'content-length': Buffer.byteLength(body),
          })
          response.end(body)
        },
        (error: unknown) => {
          console.error(error)
          response.writeHead(500, { 'content-length': 0 })
          response.end()
        },
      )
    })
  })
  server.listen(0, '127.0.0.1')
}

if (cluster.isPrimary) {
  let listening = 0
  cluster.on('listening', (_worker, { port }) => {
    if (++listening === Number(workers)) console.log(port)
  })
  for (let i = 0; i < Number(workers); i++) cluster.fork()
} else serve()

/** What a person sees who configured object storage that cannot be used. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { TestObjectStore } from '@seaworthy/oci/store/s3/testing'
import { lacksObjectStore, startObjectStore } from '@seaworthy/oci/store/s3/testing'
import { searchArguments, searchFolder, searchFor } from '@seaworthy/std/testing/leaks'
import { createTestClient, startTestServer } from '../../testing/index.ts'

describe('--blobs s3://', { skip: lacksObjectStore() }, () => {
  let objects: TestObjectStore
  before(async () => {
    objects = await startObjectStore()
  })
  after(() => objects.stop())

  const start = (
    changes: { bucket?: string; secret?: string | undefined; endpoint?: string } = {},
  ) => {
    const { bucket = 'releases', endpoint = objects.endpoint } = changes
    const secret = 'secret' in changes ? changes.secret : objects.credentials.secretAccessKey
    return startTestServer({
      args: ['--blobs', `s3://${bucket}/${objects.newLocation().prefix}?endpoint=${endpoint}`],
      env: {
        AWS_ACCESS_KEY_ID: objects.credentials.accessKeyId,
        AWS_SECRET_ACCESS_KEY: secret ?? '',
      },
    })
  }

  it('A9 serves from it, and its log, folder, database and arguments hold no secret', async () => {
    const server = await start()
    const client = createTestClient(server)
    try {
      assert.equal((await client.send('GET', '/readyz')).status, 200)
      const search = searchFor({ secret: objects.credentials.secretAccessKey })
      assert.deepEqual(search(server.log()), [])
      assert.deepEqual(await searchFolder(search, server.dataDir), [])
      assert.deepEqual(await searchArguments(search), [])
    } finally {
      client.close()
      await server.stop()
    }
  })

  it('says what is wrong, and does not start', async () => {
    const wrong: [Parameters<typeof start>[0], RegExp][] = [
      [{ secret: undefined }, /set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY/],
      [{ secret: 'f00d'.repeat(10) }, /did not start: .*does not accept the credentials/],
      [{ bucket: 'no-such-bucket' }, /did not start: .*there is no bucket no-such-bucket/],
      [{ endpoint: 'http://s3.example' }, /the endpoint must be https/],
    ]
    for (const [changes, why] of wrong) {
      await assert.rejects(start(changes), (error: Error) => {
        assert.match(error.message, why)
        assert.ok(!error.message.includes(objects.credentials.secretAccessKey))
        assert.ok(!error.message.includes('f00df00d'))
        return true
      })
    }
  })
})

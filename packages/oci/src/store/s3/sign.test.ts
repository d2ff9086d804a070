/**
 * The examples of "Authenticating Requests: Using the Authorization Header" in the Amazon S3 API
 * reference; the keys are its own.
 */
import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { test } from 'node:test'
import { encodeS3Path, encodeS3Query, signRequest } from './sign.ts'

const credentials = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
}
const scope = { region: 'us-east-1', at: new Date('2013-05-24T00:00:00Z') }
const emptySha256 = hash('sha256', '', 'hex')

const examples = [
  {
    name: 'GET object with a range',
    request: { method: 'GET', path: '/test.txt', query: {}, headers: { range: 'bytes=0-9' } },
    signature: 'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
  },
  {
    name: 'PUT object',
    request: {
      method: 'PUT',
      path: encodeS3Path('/test$file.text'),
      query: {},
      headers: {
        date: 'Fri, 24 May 2013 00:00:00 GMT',
        'x-amz-storage-class': 'REDUCED_REDUNDANCY',
      },
      bodySha256: hash('sha256', 'Welcome to Amazon S3.', 'hex'),
    },
    signature: '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
  },
  {
    name: 'GET a configuration of the bucket',
    request: { method: 'GET', path: '/', query: { lifecycle: '' }, headers: {} },
    signature: 'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543',
  },
  {
    name: 'list objects',
    request: { method: 'GET', path: '/', query: { prefix: 'J', 'max-keys': '2' }, headers: {} },
    signature: '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
  },
]

for (const { name, request, signature } of examples) {
  test(`signature of the published example: ${name}`, () => {
    const { query, ...rest } = request
    const headers = signRequest(
      {
        bodySha256: emptySha256,
        ...(rest as Omit<typeof rest, 'headers'> & { headers: Record<string, string> }),
        host: 'examplebucket.s3.amazonaws.com',
        query: encodeS3Query(query),
      },
      credentials,
      scope,
    )
    assert.equal(headers['authorization']?.split('Signature=')[1], signature)
    assert.ok(!JSON.stringify(headers).includes(credentials.secretAccessKey))
  })
}

test('a session token is sent and signed', () => {
  const headers = signRequest(
    {
      method: 'GET',
      host: 'h',
      path: '/',
      query: '',
      headers: {},
      bodySha256: emptySha256,
    },
    { ...credentials, sessionToken: 'token' },
    scope,
  )
  assert.equal(headers['x-amz-security-token'], 'token')
  assert.match(headers['authorization']!, /SignedHeaders=[^,]*x-amz-security-token/)
})

test('paths and queries are encoded as they are signed', () => {
  assert.equal(encodeS3Path("/a b/ü!'()*/c"), '/a%20b/%C3%BC%21%27%28%29%2A/c')
  assert.equal(encodeS3Query({ prefix: 'a/b c', 'list-type': '2' }), 'list-type=2&prefix=a%2Fb%20c')
})

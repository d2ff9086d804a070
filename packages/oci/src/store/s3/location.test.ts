import assert from 'node:assert/strict'
import { test } from 'node:test'
import { addressBucket, parseS3Location } from './location.ts'

test('a place in object storage, with and without prefix, endpoint and region', () => {
  assert.deepEqual(parseS3Location('s3://releases'), {
    bucket: 'releases',
    prefix: '',
    endpoint: null,
    region: 'us-east-1',
  })
  const location = parseS3Location(
    's3://releases/sea/worthy?endpoint=https://s3.example:9000&region=eu-1',
    { endpoint: 'https://other.example', region: 'xx' },
  )
  assert.deepEqual(location, {
    bucket: 'releases',
    prefix: 'sea/worthy/',
    endpoint: 'https://s3.example:9000',
    region: 'eu-1',
  })
  assert.deepEqual(addressBucket(location), {
    origin: 'https://s3.example:9000',
    path: '/releases',
  })
  assert.equal(
    addressBucket(parseS3Location('s3://releases?region=eu-central-1')).origin,
    'https://releases.s3.eu-central-1.amazonaws.com',
  )
  assert.equal(addressBucket(parseS3Location('s3://a.b.c')).path, '/a.b.c')
  assert.equal(
    parseS3Location('s3://releases', { endpoint: 'http://127.0.0.1:9000' }).endpoint,
    'http://127.0.0.1:9000',
  )
})

test('what cannot be meant is refused, and so is an unencrypted way out of the machine', () => {
  for (const text of [
    's3://',
    's3://UPPER',
    's3://a',
    's3://bucket/../x',
    's3://bucket/a b',
    's3://bucket?secret=1',
    's3://bucket?region=EU!',
    's3://bucket?endpoint=ftp://x',
    's3://bucket?endpoint=https://key:secret@x',
    's3://bucket?endpoint=https://x/path',
    's3://bucket?endpoint=http://s3.example',
    's3://bucket?endpoint=http://127.0.0.1.example',
  ]) {
    assert.throws(() => parseS3Location(text), SyntaxError, text)
  }
})

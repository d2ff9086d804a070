import type { S3Credentials } from '@seaworthy/oci/store/s3'
import type { BlobLocation } from './config.ts'
import { UsageError } from './settings.ts'

/**
 * The credentials of object storage, `null` when none is used. They are only in environment
 * variables, never in the configuration. Throws `UsageError`.
 */
export function readBlobCredentials(
  blobs: BlobLocation,
  variables: Readonly<Record<string, string | undefined>>,
): S3Credentials | null {
  if (blobs.kind === 'folder') return null
  const accessKeyId = variables['AWS_ACCESS_KEY_ID']
  const secretAccessKey = variables['AWS_SECRET_ACCESS_KEY']
  const sessionToken = variables['AWS_SESSION_TOKEN']
  if (!accessKeyId || !secretAccessKey) {
    throw new UsageError(
      '--blobs names object storage: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to its credentials',
    )
  }
  return { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) }
}

/** The store of release content that the configuration names. */
import type { RegistryStore } from '@seaworthy/oci/store'
import { openDiskStore } from '@seaworthy/oci/store/disk'
import type { S3Credentials } from '@seaworthy/oci/store/s3'
import { createS3Client, openS3Store } from '@seaworthy/oci/store/s3'
import { httpsTransport } from '@seaworthy/oci/transport'
import { invariant } from '@seaworthy/std/refusal'
import { secondMs } from '@seaworthy/std/time'
import type { BlobLocation } from '../../config/config.ts'
import type { Ports } from '../app.ts'

export interface OpenBlobStore {
  readonly store: RegistryStore
  /** Closes the connections of the store. */
  close(): void
}

const idleTimeoutMs = 30 * secondMs
/** The most connections of one worker; each upload and download holds one. */
const connectionsMax = 64

/** Throws `ObjectStoreError` when object storage cannot be reached or used. */
export async function openBlobStore(
  location: BlobLocation,
  credentials: S3Credentials | null,
  ports: Ports,
): Promise<OpenBlobStore> {
  const { clock, random, sleep } = ports
  if (location.kind === 'folder') {
    return {
      store: await openDiskStore(location.folder, { clock, random }),
      close: () => undefined,
    }
  }
  invariant(credentials !== null, 'credentials were read with the configuration')
  const { transport, close } = httpsTransport({
    // The configuration allows plain HTTP only for this machine.
    allowPlain: location.endpoint?.startsWith('http:') ?? false,
    idleTimeoutMs,
    connectionsMax,
  })
  const client = createS3Client(location, credentials, { transport, clock, sleep, random })
  try {
    return { store: await openS3Store(client, { clock, random }), close }
  } catch (error) {
    close()
    throw error
  }
}

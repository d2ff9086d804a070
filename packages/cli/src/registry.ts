/** The server's registry, with the token of the connection. */
import type { ContentSource, ContentTarget } from '@seaworthy/oci/content'
import type { RegistryClient } from '@seaworthy/oci/registry/client'
import { createRegistryClient, registryContent } from '@seaworthy/oci/registry/client'
import type { Connection } from './connection.ts'

function sessionRegistry({ server, token, transport }: Connection): RegistryClient {
  return createRegistryClient({
    origin: server.url,
    transport,
    credentials: { kind: 'basic', username: 'seaworthy', password: token },
  })
}

/** The repository of a product: releases are read from it and pushed to it by digest. */
export function productContent(
  connection: Connection,
  product: string,
): ContentSource & ContentTarget {
  return registryContent(sessionRegistry(connection), product)
}

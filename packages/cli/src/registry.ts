/** The server's registry, with the token of the session. */
import type { ContentSource, ContentTarget } from '@seaworthy/oci/content'
import type { RegistryClient } from '@seaworthy/oci/registry/client'
import { createRegistryClient, registryContent } from '@seaworthy/oci/registry/client'
import type { Session } from './session.ts'

function sessionRegistry({ server, token, transport }: Session): RegistryClient {
  return createRegistryClient({
    origin: server.url,
    transport,
    credentials: { kind: 'basic', username: 'seaworthy', password: token },
  })
}

/** The repository of a product: releases are read from it and pushed to it by digest. */
export function productContent(session: Session, product: string): ContentSource & ContentTarget {
  return registryContent(sessionRegistry(session), product)
}

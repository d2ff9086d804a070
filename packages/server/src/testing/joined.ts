/** People who have joined a server by its own routes, each in a browser of their own. */
import type { ApiClient } from '@seaworthy/api/client'
import { createInvitation } from '@seaworthy/api/invitations'
import type { BodyInputOf } from '@seaworthy/api/route'
import type { TestBrowser } from './authenticator.ts'
import { acceptLink, becomeOwner, createTestBrowser } from './authenticator.ts'
import type { TestClient } from './people.ts'
import type { TestServer } from './server.ts'

export interface Joined {
  readonly browser: TestBrowser
  readonly id: string
}

export async function joinAsFirstOwner(server: TestServer, client: TestClient): Promise<Joined> {
  const browser = createTestBrowser(server, client)
  return { browser, id: (await becomeOwner(server, browser)).person.id }
}

/** Somebody joins whom `by` has invited. */
export async function joinBy(
  by: Joined,
  invitation: BodyInputOf<typeof createInvitation>,
  on: { readonly server: TestServer; readonly client: TestClient },
): Promise<Joined> {
  const { link } = await (await confirmed(by)).call(createInvitation, { body: invitation })
  const browser = createTestBrowser(on.server, on.client)
  return { browser, id: (await acceptLink(browser, link, `A new ${invitation.role}`)).person.id }
}

/** The calls of somebody who has confirmed just now, however slow the machine is. */
export async function confirmed({ browser }: Pick<Joined, 'browser'>): Promise<ApiClient> {
  await browser.stepUp()
  return browser.api
}

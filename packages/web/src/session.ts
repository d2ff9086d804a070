/** Who is signed in, as every page asks it. */
import type { ApiClient, CallInput } from '@seaworthy/api/client'
import { ProblemError } from '@seaworthy/api/problems'
import type { ReplyOf, Route } from '@seaworthy/api/route'
import { showSession } from '@seaworthy/api/sessions'
import type { SelfView } from '@seaworthy/api/sessions'
import type { QueryClient, UseQueryResult } from '@tanstack/react-query'
import {
  keepPreviousData,
  QueryClient as Queries,
  useQuery,
  useQueryClient,
} from '@tanstack/react-query'
import { useEffect } from 'react'
import { isConcerned } from './changes.ts'
import { usePorts } from './ports.ts'

const sessionKey = ['session'] as const

/** `null` when nobody is signed in. */
export type WebSession = SelfView | null

export function createQueries(): QueryClient {
  return new Queries({
    defaultOptions: {
      queries: {
        // Only faults of the network are worth repeating; a refusal is an answer.
        retry: (count, error) => count < 2 && !(error instanceof ProblemError),
        staleTime: 5000,
      },
    },
  })
}

async function fetchSession(client: ApiClient): Promise<WebSession> {
  try {
    return await client.call(showSession, {})
  } catch (error) {
    if (error instanceof ProblemError && error.status === 401) return null
    throw error
  }
}

export function useSession(): UseQueryResult<WebSession> {
  const { client } = usePorts()
  return useQuery({ queryKey: sessionKey, queryFn: () => fetchSession(client) })
}

/** Asks what the person's role allows. The server decides it again. */
export function useMay(): (permission: string) => boolean {
  const permissions = useSession().data?.permissions ?? []
  return (permission) => permissions.includes(permission)
}

/** Takes in what a sign-in, a confirmation or a sign-out has answered. */
export function useSetSession(): (session: WebSession) => void {
  const queries = useQueryClient()
  return (session) => {
    const before = queries.getQueryData<WebSession>(sessionKey)
    // Cached answers of one person are dropped before the next one signs in.
    if (before?.person.id !== session?.person.id) {
      queries.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== sessionKey[0] })
    }
    queries.setQueryData(sessionKey, session)
  }
}

/** Reads a route, and keeps the answer for as long as the page is open. */
export function useRead<R extends Route & { readonly method: 'GET' }>(
  route: R,
  input: CallInput<R>,
): UseQueryResult<ReplyOf<R>> {
  const { client } = usePorts()
  return useQuery({
    queryKey: [route.name, input],
    queryFn: ({ signal }) => client.call(route, { ...input, signal }),
  })
}

/**
 * How often a page reads again what changes by itself, and what the server does not tell of: when
 * devices that say nothing new were heard. It pauses while nobody sees the page.
 */
const liveMs = 10_000

/** Has open pages read again what the server says has changed, while the component is shown. */
export function useFollowChanges(): void {
  const { changes } = usePorts()
  const queries = useQueryClient()
  useEffect(() => {
    // A question that is on its way may have been answered before the change.
    const readAgain = (isMeant: (routeName: string) => boolean) =>
      void queries.invalidateQueries({
        predicate: ({ meta, queryKey: [name] }) =>
          meta?.['isLive'] === true && typeof name === 'string' && isMeant(name),
      })
    return changes.follow({
      onChange: (nouns) => readAgain((routeName) => isConcerned(routeName, nouns)),
      onBegin: () => readAgain(() => true),
    })
  }, [changes, queries])
}

/**
 * Reads a route again and again, so that the page shows what is. While another question is on its
 * way, the answer to the one before stays.
 */
export function useLive<R extends Route & { readonly method: 'GET' }>(
  route: R,
  input: CallInput<R>,
  isWanted = true,
): UseQueryResult<ReplyOf<R>> {
  const { client } = usePorts()
  return useQuery({
    queryKey: [route.name, input],
    queryFn: ({ signal }) => client.call(route, { ...input, signal }),
    refetchInterval: liveMs,
    meta: { isLive: true },
    placeholderData: keepPreviousData,
    enabled: isWanted,
  })
}

/** Has routes read again whose answers have changed. */
export function useRefresh(): (...changed: readonly Route[]) => Promise<void> {
  const queries = useQueryClient()
  return async (...changed) => {
    await Promise.all(changed.map((route) => queries.invalidateQueries({ queryKey: [route.name] })))
  }
}

/** Has the session read again, after something has changed about the person. */
export function useRefreshSession(): () => Promise<void> {
  const queries = useQueryClient()
  return () => queries.invalidateQueries({ queryKey: sessionKey })
}

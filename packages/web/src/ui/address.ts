/** What a page shows of its list, as its address says it: a link shows a colleague the same. */
import { useLocation, useRouter } from '@tanstack/react-router'

export interface PageAddress {
  /** The value of a name in the address; `undefined` where it has none. */
  readonly get: (name: string) => string | undefined
  /**
   * Goes to the address with these values; `undefined` removes one. The list begins anew, unless
   * the change says which page of it is meant.
   */
  readonly change: (changes: Readonly<Record<string, string | undefined>>) => void
}

export function useAddress(): PageAddress {
  const { history } = useRouter()
  const { pathname, searchStr } = useLocation()
  const search = new URLSearchParams(searchStr)
  return {
    get: (name) => search.get(name) ?? undefined,
    change(changes) {
      const next = new URLSearchParams(searchStr)
      for (const [name, value] of Object.entries({ after: undefined, ...changes })) {
        if (value === undefined || value === '') next.delete(name)
        else next.set(name, value)
      }
      history.push(next.size === 0 ? pathname : `${pathname}?${next.toString()}`)
    },
  }
}

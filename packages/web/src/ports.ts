/** What pages reach the world through. They are made in `main.tsx`, or by a test. */
import type { ApiClient } from '@seaworthy/api/client'
import type { Clock } from '@seaworthy/std/time'
import { createContext, useContext } from 'react'
import type { ChangeFeed } from './changes.ts'
import type { LogFiles } from './log-files.ts'
import type { Passkeys } from './passkeys.ts'
import type { NoAnswer, BroughtAnswer } from './provider-answers.ts'

export interface WebPorts {
  readonly client: ApiClient
  readonly passkeys: Passkeys
  readonly clock: Clock
  readonly changes: ChangeFeed
  /** The audit log, which is served as files and not by a route. */
  readonly log: LogFiles
  /** Where the server answers, as people name it to other programs. */
  readonly origin: string
  /** The secret of the link that led here, taken out of the address before anything was shown. */
  readonly linkCode: string | undefined
  /** What an identity provider sent the browser back with, taken out of the address likewise. */
  readonly providerAnswer: BroughtAnswer | NoAnswer | undefined
  /** Leaves our pages for an address. */
  readonly leave: (url: string) => void
}

export const PortsContext = createContext<WebPorts | undefined>(undefined)

export function usePorts(): WebPorts {
  const ports = useContext(PortsContext)
  if (ports === undefined) throw new Error('a component stands outside of its ports')
  return ports
}

/**
 * The pages’ entry: the only place that reaches the browser itself. A browser that lacks what the
 * pages need keeps the sentence that `index.html` has for it.
 */
import { createClient } from '@seaworthy/api/client'
import { systemClock, systemSleep } from '@seaworthy/std/time'
import { createRoot } from 'react-dom/client'
import { App } from './app.tsx'
import { createBrowserTransport } from './browser-transport.ts'
import { createChangeFeed } from './changes.ts'
import { isLinkCode, takeLinkCode } from './link-code.ts'
import { createLogFiles, createLogMemory } from './log-files.ts'
import { createPasskeys } from './passkeys.ts'
import { takeAnswer } from './provider-answers.ts'
import './styles.css'

const isCurrentBrowser = 'toBase64' in Uint8Array.prototype && 'withResolvers' in Promise
const root = document.querySelector('#root')
if (isCurrentBrowser && root !== null) {
  const transport = createBrowserTransport((url, init) => fetch(url, init))
  const ports = {
    client: createClient({ baseUrl: location.origin, transport }),
    passkeys: createPasskeys(window),
    clock: systemClock,
    changes: createChangeFeed({
      open: (url) => new EventSource(url),
      page: document,
      sleep: systemSleep,
    }),
    log: createLogFiles(
      location.origin,
      transport,
      createLogMemory(() => localStorage),
    ),
    origin: location.origin,
    linkCode: takeLinkCode(location, history),
    providerAnswer: takeAnswer(location, history),
    leave: (url: string) => location.assign(url),
  }
  // Pasting a link over the address of its own page loads nothing anew.
  addEventListener('hashchange', () => {
    if (isLinkCode(location.hash)) location.reload()
  })
  createRoot(root).render(<App ports={ports} />)
}

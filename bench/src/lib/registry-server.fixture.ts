/** Only our registry, open to everyone, on a free port that it prints. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { openDiskStore } from '@seaworthy/oci/store/disk'
import { createRegistryHandler, endlessSpace } from '@seaworthy/server/testing'
import { silentLog } from '@seaworthy/std/log'
import { systemRandom } from '@seaworthy/std/random'
import { systemClock, systemSleep } from '@seaworthy/std/time'

const store = await openDiskStore(process.argv[2]!, { clock: systemClock, random: systemRandom })
const handler = createRegistryHandler<string>({
  store,
  log: silentLog,
  service: 'bench',
  uploadBytesMax: 1e9,
  tokenUrl: () => 'http://127.0.0.1/v2/token',
  roots: async () => [],
  releaseTags: async () => new Map(),
  space: endlessSpace,
  spendChange: async () => undefined,
  onEvent: async () => {},
  authorize: async () => ({ kind: 'allowed', actor: 'bench' }),
  issueToken: async () => ({ kind: 'unauthorized' }),
  clock: systemClock,
  sleep: systemSleep,
})
const server = createServer((request, response) => void handler(request, response))
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port))

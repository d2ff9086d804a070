/** The way from an empty server to the first update, ticked off by what the server sees. */
import { formatCommand } from './shell-words.ts'

/** What the pages read of a server that is being set up; `undefined` is not there yet. */
export interface SetUp {
  readonly origin: string
  readonly hasRoot: boolean
  readonly product: string | undefined
  readonly channel: string | undefined
  readonly version: string | undefined
  readonly isPublished: boolean
  readonly fleet: string | undefined
  readonly hasProvisioningKey: boolean
  readonly devicesCount: number
  /** Devices that run a signed release. */
  readonly updatedCount: number
}

export interface GuideStep {
  readonly title: string
  readonly why: string
  /** What to type, one command each. */
  readonly lines: readonly string[]
  readonly isDone: boolean
}

/** Steps in their order. What comes later cannot be done without what comes before. */
export function listSteps(seen: SetUp): readonly GuideStep[] {
  const { product = 'gateway', channel = 'stable', version = '1.0.0', fleet = 'harbour' } = seen
  const steps: readonly GuideStep[] = [
    {
      title: 'Pair the command line',
      why: 'It shows a code, which you type into the page “Pair”. Its pin, which “seaworthy up” printed, is what it knows the server by.',
      lines: [`${formatCommand('seaworthy', 'login', seen.origin)} --pin sha256:…`],
      isDone: false,
    },
    {
      title: 'Make keys, and the root of trust',
      why: 'Each holder makes a key on a machine of their own, and hands over the public file. The server never sees a private key.',
      lines: [
        'seaworthy key create one.key',
        'seaworthy trust init --root-key one.key --root-key two.key.pub --root-key three.key.pub --threshold 2',
      ],
      isDone: seen.hasRoot,
    },
    {
      title: 'Make a product and a channel',
      why: 'The holders of the root keys sign the product; its keys sign the channel that devices follow.',
      lines: [
        `${formatCommand('seaworthy', 'product', 'create', product)} --kind bundle --sign-with one.key`,
        `${formatCommand('seaworthy', 'channel', 'create', product, channel)} --key one.key --key two.key.pub --threshold 2 --sign-with one.key`,
      ],
      isDone: seen.product !== undefined && seen.channel !== undefined,
    },
    {
      title: 'Register a release',
      why: 'A folder with your application and a seaworthy.json that says how to start it.',
      lines: [
        `${formatCommand('seaworthy', 'release', 'create', product, version)} --platform linux/amd64 --from ./my-application`,
      ],
      isDone: seen.version !== undefined,
    },
    {
      title: 'Publish it',
      why: 'It runs nowhere before as many holders of the channel’s keys as must have signed it.',
      lines: [
        `${formatCommand('seaworthy', 'publish', product, version)} --channel ${channel} --sign-with one.key`,
        'seaworthy proposal sign PROPOSAL --key two.key',
      ],
      isDone: seen.isPublished,
    },
    {
      title: 'Make a fleet',
      why: 'Devices that share a product, a channel and a policy.',
      lines: [
        `${formatCommand('seaworthy', 'fleet', 'create', fleet)} --product ${product} --channel ${channel}`,
      ],
      isDone: seen.fleet !== undefined,
    },
    {
      title: 'Make a provisioning key',
      why: 'It writes a ready agent.json: the key, and the root that this machine has verified. A page cannot make it, because whoever owns the server could put another root into it.',
      lines: [
        `${formatCommand('seaworthy', 'provisioning-key', 'create')} --fleet ${fleet} --agent-config agent.json`,
      ],
      isDone: seen.hasProvisioningKey,
    },
    {
      title: 'Start the agent on a device',
      why: 'With agent.json as /etc/seaworthy/agent.json. It joins the fleet by itself.',
      lines: ['node seaworthy-agent.mjs run --config /etc/seaworthy/agent.json'],
      isDone: seen.devicesCount > 0,
    },
    {
      title: 'Watch the first update',
      why: 'The device fetches the release, verifies it, starts it, watches it, and says that it runs it.',
      lines: [`${formatCommand('seaworthy', 'device', 'list')} --fleet ${fleet}`],
      isDone: seen.updatedCount > 0,
    },
  ]
  // A later step proves the ones that nothing else shows.
  const last = steps.findLastIndex(({ isDone }) => isDone)
  return steps.map((step, index) => (index <= last ? { ...step, isDone: true } : step))
}

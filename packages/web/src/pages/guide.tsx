/** First steps: what to type, from an empty server to the first update. */
import { Alert, Badge, Paper, Stack, Text } from '@mantine/core'
import { countDevices } from '@seaworthy/api/devices'
import { listFleets } from '@seaworthy/api/fleets'
import { listProducts } from '@seaworthy/api/products'
import { listProvisioningKeys } from '@seaworthy/api/provisioning-keys'
import { listReleases } from '@seaworthy/api/releases'
import { showTrustStatus } from '@seaworthy/api/trust'
import { showFleetVersions } from '@seaworthy/api/updates'
import type { GuideStep, SetUp } from '../guide.ts'
import { listSteps } from '../guide.ts'
import { usePorts } from '../ports.ts'
import { useLive, useMay } from '../session.ts'
import { CliLine } from '../ui/cli-line.tsx'
import { Page } from '../ui/page.tsx'
import { TextLink } from '../ui/text-link.tsx'
import classes from './guide.module.css'

export function GuidePage() {
  const steps = listSteps(useSetUp())
  const next = steps.findIndex(({ isDone }) => !isDone)
  return (
    <Page
      title="First steps"
      about="From an empty server to the first update. Each step ticks itself off when the server sees it happen."
    >
      {next < 0 ? (
        <Alert color="green" variant="light" role="status" title="A device runs a signed release">
          All steps are done. <TextLink to="/rollouts">Rollouts</TextLink> bring the next release to
          a few devices first.
        </Alert>
      ) : (
        <Text role="status">
          {next} of {steps.length} steps are done.
        </Text>
      )}
      <ol className={classes['steps']} aria-label="Steps">
        {steps.map((step, index) => (
          <Step key={step.title} step={step} isNext={index === next} />
        ))}
      </ol>
    </Page>
  )
}

function Step({ step, isNext }: { readonly step: GuideStep; readonly isNext: boolean }) {
  const { title, why, lines, isDone } = step
  return (
    <Paper
      withBorder
      component="li"
      className={classes['step']}
      aria-current={isNext ? 'step' : undefined}
    >
      <Stack gap="xs">
        <div className={classes['head']}>
          <strong>{title}</strong>
          <Badge color={isDone ? 'green' : isNext ? 'blue' : 'gray'}>
            {isDone ? 'done' : isNext ? 'next' : 'to come'}
          </Badge>
        </div>
        {!isDone && (
          <>
            <Text size="sm">{why}</Text>
            {lines.map((line) => (
              <CliLine key={line} line={line} />
            ))}
          </>
        )}
      </Stack>
    </Paper>
  )
}

/** What the server has already, as far as this person may see it. */
function useSetUp(): SetUp {
  const { origin } = usePorts()
  const may = useMay()
  const trust = useLive(showTrustStatus, {}, may('trust:read'))
  const products = useLive(listProducts, { query: { limit: 100 } }, may('product:read')).data?.items
  const fleets = useLive(listFleets, { query: { limit: 100 } }, may('fleet:read')).data?.items
  const fleet = fleets?.find(({ devicesCount }) => devicesCount > 0) ?? fleets?.[0]
  const product =
    products?.find(({ name }) => name === fleet?.product) ??
    products?.find(({ channels }) => channels.length > 0) ??
    products?.[0]
  const releases = useLive(
    listReleases,
    { params: { product: product?.name ?? 'none' }, query: { limit: 100 } },
    product !== undefined && may('release:read'),
  ).data?.items
  const release = releases?.find(({ channels }) => channels.length > 0) ?? releases?.[0]
  const hasFleet = fleet !== undefined
  const params = { fleet: fleet?.name ?? 'none' }
  const keys = useLive(
    listProvisioningKeys,
    { params, query: { limit: 1 } },
    hasFleet && may('provisioning-key:read'),
  ).data?.items
  const devices = useLive(countDevices, { query: {} }, may('device:read')).data
  const spread = useLive(showFleetVersions, { params }, hasFleet && may('device:read')).data
  const updated = spread?.now.versions.filter(({ version }) => version !== null) ?? []
  return {
    origin,
    hasRoot: trust.data?.initialized === true,
    product: product?.name,
    channel: product?.channels[0]?.name,
    version: release?.version,
    isPublished: (release?.channels.length ?? 0) > 0,
    fleet: fleet?.name,
    hasProvisioningKey: (keys?.length ?? 0) > 0,
    devicesCount: devices?.count ?? 0,
    updatedCount: updated.reduce((sum, { count }) => sum + count, 0),
  }
}

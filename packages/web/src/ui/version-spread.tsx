/** Which versions run in a fleet: a bar for each, the most frequent first. */
import { Text } from '@mantine/core'
import { showFleetVersions } from '@seaworthy/api/updates'
import { useLive } from '../session.ts'
import { Loaded } from './states.tsx'
import { TextLink } from './text-link.tsx'
import classes from './version-spread.module.css'

export function VersionSpread({ fleet }: { readonly fleet: string }) {
  const versions = useLive(showFleetVersions, { params: { fleet } })
  return (
    <Loaded query={versions} what="versions">
      {({ now }) =>
        now.versions.length === 0 ? (
          <Text>No device has said yet what it runs.</Text>
        ) : (
          <>
            <ul className={classes['list']} aria-label={`Versions in ${fleet}`}>
              {now.versions
                .toSorted((a, b) => b.count - a.count)
                .map(({ version, count }) => (
                  <li key={version ?? ''} className={classes['item']}>
                    <span className={classes['name']}>
                      {version === null ? (
                        'nothing signed'
                      ) : (
                        <TextLink to="/devices" search={{ fleet, running: version }}>
                          {version}
                        </TextLink>
                      )}
                    </span>
                    <meter
                      className={classes['bar']}
                      min={0}
                      max={Math.max(1, now.devicesCount)}
                      value={count}
                      aria-label={`Devices with ${version ?? 'nothing signed'}`}
                    />
                    <span>{describeShare(count, now.devicesCount)}</span>
                  </li>
                ))}
            </ul>
            <Text size="sm" c="dimmed">
              Of {now.devicesCount.toLocaleString()} devices, {now.seenCount.toLocaleString()} were
              heard of within a day, or five polls if that is longer.
            </Text>
          </>
        )
      }
    </Loaded>
  )
}

/** `44 (12.5 %)`. */
function describeShare(count: number, of: number): string {
  const percent = of === 0 ? 0 : Math.round((count / of) * 1000) / 10
  return `${count.toLocaleString()} (${percent} %)`
}

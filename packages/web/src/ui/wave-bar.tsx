/** How many devices of a wave are in which state, as one bar; the text beside it says the same. */
import type { ShownWave } from '../rollout-words.ts'
import { describeWave } from '../rollout-words.ts'
import classes from './wave-bar.module.css'

const width = 1000

export function WaveBar({ wave }: { readonly wave: ShownWave }) {
  const counts = [
    ['healthy', wave.healthyCount],
    ['failed', wave.failedCount],
    ['superseded', wave.supersededCount],
    ['flight', wave.inFlightCount],
  ] as const
  const sum = counts.reduce((total, [, count]) => total + count, 0)
  const whole = Math.max(1, wave.membersCount ?? 0, sum)
  let from = 0
  const parts = counts.map(([name, count]) => {
    const part = { name, x: from, size: (count / whole) * width }
    from += part.size
    return part
  })
  return (
    <svg
      className={classes['bar']}
      viewBox={`0 0 ${width} 16`}
      preserveAspectRatio="none"
      role="img"
      aria-label={`Wave ${wave.number}: ${describeWave(wave)}`}
    >
      <rect className={classes['ground']} width={width} height="16" />
      {parts.map(({ name, x, size }) => (
        <rect key={name} className={classes[name]} x={x} width={size} height="16" />
      ))}
    </svg>
  )
}

/** What the colours of the bars mean. */
export function WaveLegend() {
  return (
    <ul className={classes['legend']} aria-label="Colours of the bars">
      {(['healthy', 'flight', 'failed', 'superseded', 'ground'] as const).map((name) => (
        <li key={name}>
          <svg viewBox="0 0 10 10" width="10" height="10" aria-hidden="true">
            <rect className={classes[name]} width="10" height="10" />
          </svg>
          {names[name]}
        </li>
      ))}
    </ul>
  )
}

const names = {
  healthy: 'healthy',
  flight: 'in flight',
  failed: 'failed',
  superseded: 'superseded',
  ground: 'to come',
} as const

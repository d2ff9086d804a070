/** Role and scope of a person, as invitations and changes of people ask for them. */
import { Checkbox, NativeSelect, Radio, Stack, Text } from '@mantine/core'
import { listFleets } from '@seaworthy/api/fleets'
import { listProducts } from '@seaworthy/api/products'
import { listRoles } from '@seaworthy/api/roles'
import { builtInRoles } from '@seaworthy/fleet/access'
import { describeRole } from '../role-words.ts'
import { useRead } from '../session.ts'

export interface GrantDraft {
  readonly role: string
  /** Further roles, of which only what they deny counts. */
  readonly deniedBy: readonly string[]
  /** `null` is all of them. */
  readonly products: readonly string[] | null
  readonly fleets: readonly string[] | null
}

/** What a new grant is before anybody has chosen something. */
export const viewerOfAll: GrantDraft = {
  ...{ role: 'viewer', deniedBy: [] },
  ...{ products: null, fleets: null },
}

/** Whether the draft reaches anything at all. */
export function isWholeGrant({ products, fleets }: GrantDraft): boolean {
  return products?.length !== 0 && fleets?.length !== 0
}

/** The draft as routes take it that give a role: what they leave out is all of them. */
export function givenGrant({ role, deniedBy, products, fleets }: GrantDraft) {
  return {
    role,
    deniedBy: [...deniedBy],
    ...(products === null ? {} : { products: [...products] }),
    ...(fleets === null ? {} : { fleets: [...fleets] }),
  }
}

export function GrantFields(props: {
  readonly value: GrantDraft
  readonly onChange: (value: GrantDraft) => void
  /** Whether further roles may deny something: groups of providers bring theirs themselves. */
  readonly hasDenials?: boolean
}) {
  const { value, onChange, hasDenials = true } = props
  const roles = useRead(listRoles, {})
  const ownRoles = roles.data?.items.filter(({ isBuiltIn }) => !isBuiltIn) ?? []
  const names = [...new Set([...builtInRoles, ...ownRoles.map(({ name }) => name), value.role])]
  const purpose = ownRoles.find(({ name }) => name === value.role)?.purpose
  const denying = ownRoles.filter(({ denies }) => denies.length > 0).map(({ name }) => name)
  const products = useRead(listProducts, { query: { limit: 100 } })
  const fleets = useRead(listFleets, { query: { limit: 100 } })
  return (
    <Stack>
      <NativeSelect
        label="Role"
        description={`This role: ${purpose ?? describeRole(value.role)}.`}
        name="role"
        value={value.role}
        data={names}
        onChange={(event) => onChange({ ...value, role: event.currentTarget.value })}
      />
      {hasDenials && (denying.length > 0 || value.deniedBy.length > 0) && (
        <DenialFields
          names={denying}
          chosen={value.deniedBy}
          onChange={(deniedBy) => onChange({ ...value, deniedBy })}
        />
      )}
      <ScopeFields
        noun="product"
        names={products.data?.items.map(({ name }) => name) ?? []}
        chosen={value.products}
        onChange={(chosen) => onChange({ ...value, products: chosen })}
      />
      <ScopeFields
        noun="fleet"
        names={fleets.data?.items.map(({ name }) => name) ?? []}
        chosen={value.fleets}
        onChange={(chosen) => onChange({ ...value, fleets: chosen })}
      />
    </Stack>
  )
}

/** Roles whose denials count as well. */
function DenialFields(props: {
  readonly names: readonly string[]
  readonly chosen: readonly string[]
  readonly onChange: (chosen: readonly string[]) => void
}) {
  const { names, chosen, onChange } = props
  return (
    <Stack gap="xs" role="group" aria-label="Denied by">
      <Text size="sm" fw={500}>
        Denied by
      </Text>
      <Text size="xs" c="dimmed">
        What these roles deny stays denied, whatever the role above allows.
      </Text>
      <NameBoxes names={[...new Set([...names, ...chosen])]} chosen={chosen} onChange={onChange} />
    </Stack>
  )
}

function NameBoxes(props: {
  readonly names: readonly string[]
  readonly chosen: readonly string[]
  readonly onChange: (chosen: readonly string[]) => void
}) {
  const { names, chosen, onChange } = props
  return names.map((name) => (
    <Checkbox
      key={name}
      label={name}
      checked={chosen.includes(name)}
      onChange={(event) =>
        onChange(
          event.currentTarget.checked
            ? [...chosen, name]
            : chosen.filter((other) => other !== name),
        )
      }
    />
  ))
}

function ScopeFields(props: {
  readonly noun: 'product' | 'fleet'
  readonly names: readonly string[]
  readonly chosen: readonly string[] | null
  readonly onChange: (chosen: readonly string[] | null) => void
}) {
  const { noun, names, chosen, onChange } = props
  // Names that are chosen already stay in the list, even where it is cut off.
  const listed = [...new Set([...names, ...(chosen ?? [])])]
  return (
    <Radio.Group
      label={`Which ${noun}s`}
      name={`${noun}s`}
      value={chosen === null ? 'all' : 'some'}
      onChange={(choice) => onChange(choice === 'all' ? null : [])}
    >
      <Stack gap="xs" mt="xs">
        <Radio value="all" label={`All ${noun}s, those of the future too`} />
        <Radio value="some" label={`Only these ${noun}s`} disabled={listed.length === 0} />
        {chosen !== null && (
          <Stack gap="xs" pl="xl" role="group" aria-label={`Chosen ${noun}s`}>
            <NameBoxes names={listed} chosen={chosen} onChange={onChange} />
            {chosen.length === 0 && <Text size="sm">Choose at least one.</Text>}
          </Stack>
        )}
      </Stack>
    </Radio.Group>
  )
}

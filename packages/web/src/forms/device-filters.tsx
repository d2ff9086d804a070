/** The search for devices, a menu to add a filter, and the active filters as chips to remove. */
import { Button, Group, NativeSelect, TextInput } from '@mantine/core'
import { useState } from 'react'
import { filterFields } from '../device-filters.ts'
import type { ActiveFilter } from '../device-filters.ts'
import classes from '../ui/filters.module.css'

type Change = (changes: Readonly<Record<string, string | undefined>>) => void

export function FilterBar(props: {
  readonly filters: readonly ActiveFilter[]
  readonly onChange: Change
}) {
  const { filters, onChange } = props
  const text = filters.find(({ field }) => field.name === 'q')?.value ?? ''
  return (
    <div className={classes['bar']} role="search" aria-label="Devices">
      <SearchForm key={text} text={text} onChange={onChange} />
      <AddForm onChange={onChange} />
      {filters.length > 0 && (
        <ul className={classes['chips']} aria-label="Filters">
          {filters.map(({ field, value }) => (
            <li key={field.name}>
              <button
                type="button"
                className={classes['chip']}
                aria-label={`Remove the filter ${field.label} ${value}`}
                onClick={() => onChange({ [field.name]: undefined })}
              >
                {field.label} <strong>{value.replaceAll('_', ' ')}</strong>
                <span aria-hidden="true">×</span>
              </button>
            </li>
          ))}
          <li>
            <Button
              variant="subtle"
              size="compact-sm"
              onClick={() =>
                onChange(Object.fromEntries(filterFields.map(({ name }) => [name, undefined])))
              }
            >
              Remove all
            </Button>
          </li>
        </ul>
      )}
    </div>
  )
}

function SearchForm({ text, onChange }: { readonly text: string; readonly onChange: Change }) {
  const [value, setValue] = useState(text)
  return (
    <form
      className={classes['form']}
      onSubmit={(event) => {
        event.preventDefault()
        onChange({ q: value.trim() })
      }}
    >
      <Group gap="xs" align="end" wrap="nowrap">
        <TextInput
          label="Search"
          type="search"
          name="q"
          placeholder="Name, id, fleet, tag …"
          maxLength={128}
          autoComplete="off"
          className={classes['grow']}
          value={value}
          onChange={(event) => setValue(event.currentTarget.value)}
        />
        <Button type="submit" variant="default">
          Search
        </Button>
      </Group>
    </form>
  )
}

const addable = filterFields.filter(({ name }) => name !== 'q')

function AddForm({ onChange }: { readonly onChange: Change }) {
  const [name, setName] = useState<string>(addable[0]!.name)
  const [value, setValue] = useState('')
  const field = addable.find((one) => one.name === name) ?? addable[0]!
  const choices = 'choices' in field ? field.choices : undefined
  const chosen = choices === undefined ? value.trim() : value === '' ? choices[0] : value
  return (
    <form
      className={classes['form']}
      onSubmit={(event) => {
        event.preventDefault()
        if (chosen === '') return
        onChange({ [name]: chosen })
        setValue('')
      }}
    >
      <Group gap="xs" align="end" wrap="nowrap">
        <NativeSelect
          label="Filter by"
          name="filter"
          value={name}
          data={addable.map((one) => ({ value: one.name, label: one.label }))}
          onChange={(event) => {
            setName(event.currentTarget.value)
            setValue('')
          }}
        />
        {choices === undefined ? (
          <TextInput
            label="Value"
            name="value"
            autoComplete="off"
            maxLength={255}
            placeholder={'placeholder' in field ? field.placeholder : ''}
            className={classes['grow']}
            value={value}
            onChange={(event) => setValue(event.currentTarget.value)}
          />
        ) : (
          <NativeSelect
            label="Value"
            name="value"
            className={classes['grow']}
            value={chosen}
            data={choices.map((one) => ({ value: one, label: one.replaceAll('_', ' ') }))}
            onChange={(event) => setValue(event.currentTarget.value)}
          />
        )}
        <Button type="submit" variant="default" disabled={chosen === ''}>
          Add
        </Button>
      </Group>
    </form>
  )
}

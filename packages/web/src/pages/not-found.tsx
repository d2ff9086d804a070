/** An address at which there is no page. */
import { Button, Text } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import { EntryPage } from '../ui/page.tsx'

export function NotFoundPage() {
  return (
    <EntryPage title="No such page">
      <Text>There is nothing at this address. The link may come from another version.</Text>
      <Button renderRoot={(props: object) => <Link to="/" {...props} />}>To the overview</Button>
    </EntryPage>
  )
}

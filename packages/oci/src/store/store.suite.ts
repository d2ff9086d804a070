/** The behaviour of every `RegistryStore`; the test of each implementation runs this suite. */
import { testCollection } from './collection.suite.ts'
import { testContent } from './content.suite.ts'
import type { OpenStore } from './store.fixture.ts'

export function testRegistryStore(name: string, open: OpenStore): void {
  testContent(name, open)
  testCollection(name, open)
}

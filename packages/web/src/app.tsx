/** Everything that is around pages: ports, theme, queries, confirmation, and the router. */
import { Badge, MantineProvider, createTheme } from '@mantine/core'
import { QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { StrictMode, useState } from 'react'
import type { WebPorts } from './ports.ts'
import { PortsContext } from './ports.ts'
import { createPageRouter } from './router.tsx'
import { createQueries } from './session.ts'
import { StepUpProvider } from './ui/step-up.tsx'

/** Colours stand in `styles.css`: no style element is made at run time (RFD 26). */
const theme = createTheme({
  cursorType: 'pointer',
  components: { Badge: Badge.extend({ defaultProps: { variant: 'light', tt: 'none' } }) },
})

export function App({ ports }: { readonly ports: WebPorts }) {
  const [queries] = useState(createQueries)
  const [router] = useState(createPageRouter)
  return (
    <StrictMode>
      <PortsContext value={ports}>
        <MantineProvider
          theme={theme}
          defaultColorScheme="auto"
          withCssVariables={false}
          withGlobalClasses={false}
        >
          <QueryClientProvider client={queries}>
            <StepUpProvider>
              <RouterProvider router={router} />
            </StepUpProvider>
          </QueryClientProvider>
        </MantineProvider>
      </PortsContext>
    </StrictMode>
  )
}

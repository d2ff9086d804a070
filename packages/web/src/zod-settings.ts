/**
 * Settings of zod, in force before the first schema is made: `main.tsx` imports this before
 * everything else. The content security policy allows no code that is made at run time, and zod
 * looks whether it may make some as soon as there is a schema.
 */
import { config } from 'zod'

config({ jitless: true })

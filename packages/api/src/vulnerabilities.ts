/**
 * Vulnerabilities: records of them, what they say of the components of releases, and the devices
 * that run those (R13, R14).
 */
import { z } from 'zod'
import {
  idField,
  instant,
  pageOf,
  pageQuery,
  productName,
  tagName,
  text,
  versionField,
} from './fields.ts'
import { defineRoute } from './route.ts'
import { vexJustification, vexStatus, vulnerabilityName } from './vex.ts'

/** The most records of one import, and bytes of them all as JSON. */
export const importMax = { records: 500, bytes: 4 * 1024 * 1024 } as const

const count = z.number().int().min(0)
const setAsideField = z.object({ label: z.string(), why: z.string() })

export const importVulnerabilities = defineRoute({
  name: 'vulnerability.import',
  method: 'POST',
  path: '/v1/vulnerabilities/import',
  auth: 'actor',
  summary:
    'Import records in the OSV format, and compare them with the components of all releases. A record that is older than the stored one changes nothing.',
  body: z.strictObject({
    /** Each record as the JSON text that its source published. */
    records: z.array(text(importMax.bytes, 1)).min(1).max(importMax.records),
  }),
  bodyBytesMax: 4 * importMax.bytes,
  reply: z.object({
    added: count,
    changed: count,
    unchanged: count,
    /** Records that are older than what is stored under their ids. */
    older: count,
    /** Those of the added and changed ones that were withdrawn: they affect nothing. */
    withdrawn: count,
    /** Components of releases that the added and changed ones affect, or may affect. */
    findings: count,
    /** Statements that hold no more, because a record says something else than it did then. */
    statementsReopened: count,
    /** Records that cannot be used, by their place in the request, which counts from 0. */
    setAside: z.array(setAsideField.extend({ index: count })),
    /** How many of them were not known before. */
    setAsideNew: count,
    /** Records of which a part cannot be used. */
    partlyUsed: z.array(z.object({ name: z.string(), why: z.string() })),
  }),
})
export type ImportReply = z.input<(typeof importVulnerabilities)['reply']>

const vulnerabilityView = z.object({
  /** The id of the record. */
  name: z.string(),
  aliases: z.array(z.string()),
  summary: z.string(),
  modifiedAt: instant,
  /** When its source took it back; then it affects nothing. */
  withdrawnAt: instant.nullable(),
  importedAt: instant,
  /** Parts of it that cannot be used. */
  faults: z.array(z.string()),
})

export const listVulnerabilities = defineRoute({
  name: 'vulnerability.list',
  method: 'GET',
  path: '/v1/vulnerabilities',
  auth: 'actor',
  summary: 'List the records that affect a release, or may, by name.',
  query: pageQuery,
  reply: pageOf(
    vulnerabilityView.extend({
      /** Releases with a component that has it. */
      affectedReleasesCount: count,
      /** Releases with a component of which that cannot be told. */
      unknownReleasesCount: count,
      /** Releases that have it, of which somebody states that it does not matter there. */
      clearedReleasesCount: count,
    }),
  ),
})

const foundView = z.object({
  vulnerability: z.string(),
  aliases: z.array(z.string()),
  summary: z.string(),
  product: productName,
  version: versionField,
  platform: z.string(),
  component: z.object({ purl: z.string(), name: z.string(), version: z.string() }),
  verdict: z.enum(['affected', 'unknown']),
  /** The first version without it, where the record says one. */
  fixed: z.string().nullable(),
  /** `low` where the version is one that only a commit has. */
  confidence: z.enum(['full', 'low']).nullable(),
  /** Why nothing can be said; null where it is affected. */
  reason: z.string().nullable(),
  foundAt: instant,
  /** What counts: the verdict, unless somebody states something else. */
  outcome: z.enum(['affected', 'unknown', 'cleared']),
  /** The statement that holds for it; null where there is none. */
  statement: z
    .object({
      id: idField('statement'),
      /** The release that it was made for, from which the found one may have inherited it. */
      version: versionField,
      status: vexStatus,
      justification: vexJustification.nullable(),
      /** The person or token who answers for it. */
      reviewer: z.string(),
      /** The author whom an imported document names. */
      author: z.string().nullable(),
      expiresAt: instant.nullable(),
    })
    .nullable(),
})
export type FoundView = z.output<typeof foundView>

const exposedCounts = z.object({
  /** Devices that run an affected release, and were heard within the last day. */
  confirmedCount: count,
  /** Devices that were not heard for longer, and ran an affected release when they were. */
  lastKnownCount: count,
  /** Devices of whose release it cannot be told. */
  unknownCount: count,
  /** Devices that run what has it, of which somebody states that it does not matter there. */
  clearedCount: count,
})

/** Devices of which nothing can be told, whichever vulnerability it is, by the reason. */
const untoldField = z.array(z.object({ reason: z.string(), count }))

/** Releases and components that the server has not looked at yet. */
const pendingField = z.object({ releasesCount: count, componentsCount: count })

const recordImport = z.object({
  /** As records name it, with the release of a distribution: `npm`, `Debian:12`. */
  ecosystem: z.string(),
  /** When records of it were imported last; null where none ever were. */
  importedAt: instant.nullable(),
  /** When the newest of these records was changed by its source. */
  newestAt: instant.nullable(),
})
export type RecordImportView = z.output<typeof recordImport>

export const showVulnerability = defineRoute({
  name: 'vulnerability.show',
  method: 'GET',
  path: '/v1/vulnerabilities/:vulnerability',
  auth: 'actor',
  summary: 'Show a vulnerability by any of its names: the releases that have it, and the devices.',
  params: z.strictObject({ vulnerability: vulnerabilityName }),
  query: z.strictObject({
    /** An instant in the past, as of which devices are counted. */
    at: instant.optional(),
    /** A tag by whose values devices are counted, instead of by their fleets. */
    tag: tagName.optional(),
  }),
  reply: z.object({
    /** The records about it: under this name, under another one, or derived from it. */
    records: z.array(vulnerabilityView),
    /** What was found, the first 1,000. */
    found: z.array(foundView),
    foundCount: count,
    devices: z.object({
      /** The instant that was asked for; null for now. */
      at: instant.nullable(),
      total: exposedCounts,
      /** The counts by fleet, or by value of the tag (null without it); the first 1,000. */
      groups: z.array(exposedCounts.extend({ name: z.string().nullable() })),
      untold: untoldField,
      /**
       * When many devices were counted, at most a minute and a half ago; null where they were
       * counted at the question.
       */
      countedAt: instant.nullable(),
    }),
    pending: pendingField,
  }),
})
export type VulnerabilityDetail = z.output<(typeof showVulnerability)['reply']>

export const showPatching = defineRoute({
  name: 'vulnerability.patching',
  method: 'GET',
  path: '/v1/vulnerabilities/:vulnerability/patching',
  auth: 'actor',
  summary: 'Show how long devices took to get rid of a vulnerability, until none has it.',
  params: z.strictObject({ vulnerability: vulnerabilityName }),
  reply: z.object({
    /** Devices that have run an affected release since the server knows of it. */
    everCount: count,
    leftCount: count,
    /** When it was found in a release that devices have run since; null without any. */
    foundAt: instant.nullable(),
    /** Half of those that run it no more were rid of it within this time. */
    medianSeconds: z.number().min(0).nullable(),
    /** Nine in ten of them were. */
    mostSeconds: z.number().min(0).nullable(),
    /** When the last device was rid of it; null while any has it. */
    zeroSince: instant.nullable(),
  }),
})
export type PatchingView = z.output<(typeof showPatching)['reply']>

export const listExposures = defineRoute({
  name: 'vulnerability.exposures',
  method: 'GET',
  path: '/v1/exposures',
  auth: 'actor',
  summary:
    'List what devices are exposed to, by how many; counted once a minute. The first 1,000 records.',
  reply: z.object({
    items: z.array(
      z.object({
        vulnerability: z.string(),
        aliases: z.array(z.string()),
        summary: z.string(),
        foundAt: instant,
        confirmedCount: count,
        lastKnownCount: count,
        /** Devices that run what has it, of which somebody states that it does not matter there. */
        clearedCount: count,
      }),
    ),
    untold: untoldField,
    pending: pendingField,
    /** The ecosystems of which records were ever imported; of all others nothing is known. */
    records: z.array(recordImport),
  }),
})
export type ExposuresView = z.output<(typeof listExposures)['reply']>

export const listSetAsideRecords = defineRoute({
  name: 'vulnerability.set-aside',
  method: 'GET',
  path: '/v1/set-aside-records',
  auth: 'actor',
  summary: 'List records that could not be used at all, with the reasons: the newest 1,000.',
  reply: z.object({ items: z.array(setAsideField.extend({ at: instant })) }),
})

const sbomState = z.object({
  platform: z.string(),
  /** Only of what was compared does an empty list of findings say anything. */
  state: z.enum(['not_compared', 'compared', 'missing', 'unusable']),
  /** Why there is none; null where it was read. */
  why: z.string().nullable(),
  componentsCount: count,
  /** Components that no record can be about. */
  othersCount: count,
  /** The document says itself that it does not list everything. */
  isIncomplete: z.boolean(),
  /** Components that were not compared with the records yet. */
  uncomparedCount: count,
  /** What the components are packages of, and when records about these were imported. */
  records: z.array(recordImport),
})
export type SbomStateView = z.output<typeof sbomState>

const heldField = {
  /** What was found, the first 1,000. */
  found: z.array(foundView),
  foundCount: count,
}

export const showReleaseExposure = defineRoute({
  name: 'release.vulnerabilities',
  method: 'GET',
  path: '/v1/products/:product/releases/:version/vulnerabilities',
  auth: 'actor',
  summary: 'Show what is known of the components of a release.',
  params: z.strictObject({ product: productName, version: versionField }),
  /** Empty lists of `sboms` mean that the server has not read the release yet. */
  reply: z.object({ sboms: z.array(sbomState), ...heldField }),
})

export const showDeviceExposure = defineRoute({
  name: 'device.vulnerabilities',
  method: 'GET',
  path: '/v1/devices/:deviceId/vulnerabilities',
  auth: 'actor',
  summary: 'Show what is known of the components of the release that a device runs.',
  params: z.strictObject({ deviceId: idField('device') }),
  reply: z.object({
    /** Null where nothing is known of what the device runs. */
    sbom: sbomState.nullable(),
    ...heldField,
  }),
})

/** Media types of other people’s formats that several packages name. */

/** Bills of materials of CycloneDX in JSON. */
export const cycloneDxMediaType = 'application/vnd.cyclonedx+json'

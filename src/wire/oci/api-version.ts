/** A header of every answer: old clients look for it to know that a registry is here. */
export const API_VERSION = { 'Docker-Distribution-Api-Version': 'registry/2.0' } as const;

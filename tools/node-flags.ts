/**
 * What Node is started with to serve. The same stands in the first line of `replog.ts`, which starts it for operators; a test
 * holds the two together.
 *
 * Requests that wait for an fsync outlive collections of garbage, and each collection copies them. With thousands of clients that
 * copying takes a fifth of the processor time of a server whose young generation has its usual 16 MB; with 64 MB there are far
 * fewer collections, and what they find has mostly been answered.
 */
export const SERVER_NODE_FLAGS: readonly string[] = ['--max-semi-space-size=64']

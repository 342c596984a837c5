/**
 * What the log of a cluster is called in NATS. `cluster` is the cluster id in hex.
 *
 *   stream REPLOG_<cluster>            subject replog.<cluster>.log                     frames, in order
 *   stream REPLOG_<cluster>_CHANGES    subjects replog.<cluster>.changes.<catalog>.<schema>.<table>
 *   no stream                          replog.<cluster>.progress.<server>.<connection>  what a replica says to the primary
 *   no stream                          replog.<cluster>.answer.<server>.<connection>    what the primary says to it
 *
 *   token := name with each byte of UTF-8 outside of A-Z a-z 0-9 _ - written as = and two hex digits
 *
 * Invariant: two different names have two different tokens, and a token is one level of a subject.
 */
const LOG_STREAM_PATTERN = /^REPLOG_([0-9a-f]{32})$/

export function logStream(cluster: string): string {
  return `REPLOG_${cluster}`
}

/** The cluster whose log the stream holds; undefined for another stream. */
export function clusterOfStream(stream: string): string | undefined {
  return LOG_STREAM_PATTERN.exec(stream)?.[1]
}

export function logSubject(cluster: string): string {
  return `replog.${cluster}.log`
}

export function changesStream(cluster: string): string {
  return `REPLOG_${cluster}_CHANGES`
}

export function changesSubject(cluster: string, catalog: string, schema: string, table: string): string {
  return `replog.${cluster}.changes.${subjectToken(catalog)}.${subjectToken(schema)}.${subjectToken(table)}`
}

export function allChangesSubjects(cluster: string): string {
  return `replog.${cluster}.changes.>`
}

/** What a replica says on the link: hello and how far it is. */
export function progressSubject(cluster: string, server: string, connection: string): string {
  return `replog.${cluster}.progress.${server}.${connection}`
}

/** What the primary says to that: welcome, heartbeats, refusal. */
export function answerSubject(cluster: string, server: string, connection: string): string {
  return `replog.${cluster}.answer.${server}.${connection}`
}

/** A name as one level of a subject. */
export function subjectToken(name: string): string {
  let token = ''
  for (const byte of Buffer.from(name, 'utf8')) {
    const char = String.fromCharCode(byte)
    token += /[A-Za-z0-9_-]/.test(char) ? char : `=${byte.toString(16).padStart(2, '0')}`
  }
  return token
}

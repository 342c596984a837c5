/**
 * Every bound in the system, unit and qualifier last. Relations between them are asserted when this file loads.
 */
import assert from 'node:assert/strict'

const KIB = 1024
const MIB = 1024 * KIB

/** Longest catalog, schema, table, column or index name, in code points. */
export const IDENTIFIER_CODE_POINTS_MAX = 128
/** Most columns of a table. */
export const TABLE_COLUMNS_MAX = 1000
/** Most secondary indexes of a table. */
export const TABLE_INDEXES_MAX = 64
/** Most foreign keys of a table, most checks of a table, and most foreign keys that target a table. */
export const TABLE_CONSTRAINTS_MAX = 256
/** Deepest nesting of a CHECK expression, and most operators and operands in it. */
export const EXPRESSION_DEPTH_MAX = 32
export const EXPRESSION_NODES_MAX = 1000
/** Longest pattern of a LIKE: the time that it takes per character of the text grows with it. */
export const LIKE_PATTERN_LENGTH_MAX = 1024
/** Most options of a catalog, schema or table, and most characters of their names and values together. */
export const OPTIONS_MAX = 100
export const OPTIONS_LENGTH_MAX = 16 * KIB
/** Most bytes of the definitions that one rename changes: it is one statement, and a statement is in one frame. */
export const RENAME_BYTES_MAX = 8 * MIB
/** Most changes of one ALTER TABLE, and most tables of one rename. */
export const ALTER_CHANGES_MAX = 1000
/** An index on a table of more rows is built by a job after the commit, not inside of the transaction. */
export const INDEX_BUILD_ROWS_DEFAULT = 10_000
/** The same for a table whose rows take more than this, because they are all held at once. */
export const INDEX_BUILD_BYTES_MAX = 16 * MIB
/** Pause before a background job that met a passing fault, such as a full disk, is tried again, in milliseconds. */
export const JOB_RETRY_MS = 1000
/** Rows that an index build job reads for one batch. */
export const INDEX_BUILD_ROWS_PER_BATCH = 1000
/** How long a commit waits for replicas that confirm it when it does not say, and at most, in milliseconds. */
export const ACK_TIMEOUT_MS_DEFAULT = 10_000
export const ACK_TIMEOUT_MS_MAX = 3_600_000
/** Most replicas whose confirmation a commit may ask for. */
export const ACK_REPLICAS_MAX = 100
/** Most columns in one key. */
export const KEY_COLUMNS_MAX = 16
/** Longest encoded key tuple. */
export const KEY_BYTES_MAX = 4 * KIB
/** Longest encoded row. */
export const ROW_BYTES_MAX = 16 * MIB
/** Most characters a VARCHAR may declare. */
export const VARCHAR_LENGTH_MAX = 65_535
/** Most digits a DECIMAL may declare. */
export const DECIMAL_PRECISION_MAX = 65
/** Deepest nesting of a JSON value. */
export const JSON_DEPTH_MAX = 100
/** Most members and elements of a JSON value, shared parts counted each time. */
export const JSON_VALUES_MAX = 1_000_000
/** Most labels an ENUM may declare. */
export const ENUM_LABELS_MAX = 65_535

/** A transaction whose payload would be longer is cut into segments of about this size. */
export const SEGMENT_BYTES_TARGET = 1 * MIB
/** Longest frame payload a reader accepts: one segment may exceed the target by one row. */
export const FRAME_PAYLOAD_BYTES_MAX = ROW_BYTES_MAX * 2 + 2 * MIB
/** Most bytes of row images in one transaction. */
export const TRANSACTION_BYTES_MAX = 64 * MIB
/** Most characters of names and values of a transaction's annotations together. */
export const ANNOTATIONS_LENGTH_MAX = 16 * KIB
/** Longest encoded table message. */
export const DEFINITION_BYTES_MAX = 1 * MIB
/** Most keys, and most ranges, that one transaction may read and have validated at its commit. */
export const TRANSACTION_READS_MAX = 1_000_000
/** Most row changes in one transaction. */
export const TRANSACTION_ROWS_MAX = 1_000_000
/** Most statements in one one-shot transaction. */
export const TRANSACTION_STATEMENTS_MAX = 10_000
/** Longest time an interactive transaction may stay open, in milliseconds. */
export const TRANSACTION_AGE_MS_MAX = 60_000
/** How long `getForUpdate` waits for a row lock when it names no time, in milliseconds. */
export const LOCK_WAIT_MS_DEFAULT = 10_000
/** Most row locks that one transaction holds. */
export const TRANSACTION_LOCKS_MAX = 10_000
/** Most savepoints of one transaction at a time. */
export const TRANSACTION_SAVEPOINTS_MAX = 1000
/** Longest idempotency key, in characters. */
export const IDEMPOTENCY_KEY_LENGTH_MAX = 255
/** Results of a transaction with an idempotency key that take more than this are not kept for its repetitions. */
export const OUTCOME_BYTES_MAX = 64 * KIB
/** How often `transaction(fn)` runs `fn` before it gives up with the last conflict. */
export const TRANSACTION_ATTEMPTS_MAX = 64

/** A commit group stops taking transactions when its batch reaches this size. */
export const GROUP_BYTES_MAX = 16 * MIB
/** Most transactions in one commit group. */
export const GROUP_TRANSACTIONS_MAX = 8192
/** Most bytes of transactions that wait for a place in a group. */
export const COMMIT_QUEUE_BYTES_MAX = 256 * MIB

/** Memory for before images that open snapshots need. Beyond it the oldest snapshots are given up. */
export const RECENT_VERSIONS_BYTES_MAX = 256 * MIB
/** Longest time a scan or another reader may hold a snapshot, in milliseconds. */
export const SNAPSHOT_AGE_MS_MAX = 600_000
/** Memory for the newest frames, from which followers are served without reading the store. */
export const LOG_TAIL_BYTES_MAX = 64 * MIB
/** Its frames are kept in pieces of memory of this size. */
export const LOG_TAIL_PAGE_BYTES = 256 * KIB

/** Most rows in one page of a scan read from the store. */
export const SCAN_PAGE_ROWS_MAX = 1000
/** Most bytes in one page of a scan read from the store. */
export const SCAN_PAGE_BYTES_MAX = 1 * MIB
/** Most rows one HTTP answer or one-shot scan returns. */
export const SCAN_RESULT_ROWS_MAX = 10_000
/** Most bytes of rows that the statements of one transaction return in one answer. */
export const RESULT_BYTES_MAX = 64 * MIB
/** Rows a scan over HTTP returns when no limit is given. */
export const SCAN_RESULT_ROWS_DEFAULT = 1000

/** Longest HTTP request body. */
export const HTTP_BODY_BYTES_MAX = 16 * MIB
/** Longest message on the replica link: one catch-up chunk may exceed its target by one frame. */
export const LINK_MESSAGE_BYTES_MAX = FRAME_PAYLOAD_BYTES_MAX + 8 * MIB
/** Frames are coalesced into link messages of about this size. */
export const LINK_CHUNK_BYTES_TARGET = 256 * KIB
/** What a change stream reads of the log at once, and most changes that it decodes before they are taken. */
export const CHANGE_CHUNK_BYTES_TARGET = 256 * KIB
export const CHANGE_BATCH_CHANGES_MAX = 512
/** Shortest and longest time between two heartbeats of a change stream. */
export const CHANGE_HEARTBEAT_MS_MIN = 10
export const CHANGE_HEARTBEAT_MS_MAX = 3_600_000
/** Heartbeats of a change stream over HTTP come so often, in milliseconds, when nobody says. */
export const CHANGE_HEARTBEAT_MS_DEFAULT = 15_000
/** Most change streams over HTTP on one server, and of one catalog. */
export const CHANGE_READERS_MAX = 1000
export const CATALOG_CHANGE_READERS_MAX = 500
/** Who takes nothing of a change stream over HTTP for so long while there is more, is cut off, at the latest after twice that. */
export const CHANGE_STALL_MS = 30_000
/** A change stream over HTTP is sent in pieces of about this length, and a few of them are held for a reader. */
export const CHANGE_PIECE_LENGTH_TARGET = 128 * KIB
/** Rounds in which triggers may set one another off in one commit, beyond the first. */
export const TRIGGER_ROUNDS_MAX = 16
/** Changes that a projection applies in one transaction; one source transaction with more is applied whole all the same. */
export const PROJECTION_BATCH_CHANGES_MAX = 256
/** Longest name of a projection, in characters. */
export const PROJECTION_NAME_LENGTH_MAX = 128
/** So often a projection that has nothing to do looks how far it is, in milliseconds. */
export const PROJECTION_PROGRESS_MS = 200
/** What its filter leaves out moves its position when it is so many transactions: moving it is one itself. */
export const PROJECTION_PROGRESS_TRANSACTIONS = 1000
/** Projections that are named among those who hold the log back, at most: those that are farthest back. */
export const PROJECTION_LOG_HOLDERS_MAX = 20
/** Pauses between attempts of a projection, in milliseconds: the first, doubled each time up to the longest. */
export const PROJECTION_PAUSE_MS_DEFAULT = 100
export const PROJECTION_PAUSE_MS_MAX = 30_000
/** So long a server that closes waits for handlers of projections that are under way, in milliseconds. */
export const PROJECTION_STOP_MS_MAX = 10_000
/** A follower whose socket holds more unsent bytes than this is not given more until it drains. */
export const LINK_UNSENT_BYTES_MAX = 8 * MIB
/** Heartbeat period on the replica link, in milliseconds. */
export const LINK_HEARTBEAT_MS = 1000
/** A link on which nothing arrived for so long is closed, in milliseconds. */
export const LINK_SILENCE_MS_MAX = 10_000
/** Most servers in a chain of replicas that follow one another, the primary included. */
export const CHAIN_SERVERS_MAX = 16
/** Most catalogs, schemas and tables that the filter of a replica names. */
export const REPLICA_FILTERS_MAX = 1000
/** Longest time that a replica is kept behind its primary on purpose, in milliseconds. */
export const REPLICA_DELAY_MS_MAX = 30 * 86_400_000
/** Most transactions that one replica may be told to skip. */
export const REPLICATION_SKIPS_MAX = 100
/** Longest name or reason that an operator gives with an order, in characters. */
export const CONTROL_TEXT_LENGTH_MAX = 500
/** First and longest pause between attempts to reach the primary, in milliseconds. */
export const RECONNECT_MS_MIN = 100
export const RECONNECT_MS_MAX = 5_000
/** Most bytes of received frames a replica holds before it pauses the link: more than the largest transaction. */
export const REPLICA_BUFFER_BYTES_MAX = 128 * MIB

/** How long an answer of NATS is waited for, in milliseconds. */
export const NATS_REQUEST_MS_MAX = 5_000
/** First and longest pause between attempts to reach NATS, in milliseconds. */
export const NATS_RECONNECT_MS_MIN = 100
export const NATS_RECONNECT_MS_MAX = 5_000
/** Frames are put into messages of JetStream of at most this size, and of what the server takes. */
export const NATS_MESSAGE_BYTES_TARGET = 256 * KIB
/** Room for the headers of such a message below what the server takes. */
export const NATS_HEADER_BYTES_MAX = 2 * KIB
/** Most messages that were published and are not acknowledged. */
export const NATS_OUTSTANDING_MAX = 64
/** How long the server remembers message ids: a retry comes sooner, and a stream that was purged is refilled later. */
export const NATS_DUPLICATE_WINDOW_MS = 1_000
/** How often it is looked whether the stream still ends where it should, in milliseconds. */
export const NATS_CHECK_MS = 5_000
/** Bytes that a stream keeps when nobody says. */
export const NATS_STREAM_BYTES_DEFAULT = 1024 * MIB
/** Shortest time that a stream may keep a message for, in milliseconds. */
export const NATS_STREAM_AGE_MS_MIN = 1_000

/** Most messages that a replica asks JetStream for at once. */
export const NATS_FETCH_MESSAGES = 32
/** How long such a request waits for messages, in milliseconds. */
export const NATS_FETCH_MS = 5_000
/** A consumer that nobody reads for so long is deleted by the server, in milliseconds. */
export const NATS_CONSUMER_IDLE_MS = 300_000
/** How long a replica waits for the primary's welcome over NATS before it reads the stream without, in milliseconds. */
export const NATS_WELCOME_MS = 2_000
/** How often a replica on the direct link looks whether the stream reaches back to it again, in milliseconds. */
export const NATS_RETURN_MS = 10_000
/** Most replicas that say hello over NATS at a time. */
export const NATS_REPLICAS_MAX = 10_000

/** Shortest and longest time that a lease is given for, in milliseconds. */
export const LEASE_MS_MIN = 100
export const LEASE_MS_MAX = 600_000
/** How long a primary that fails over by itself may be silent, when nobody says. */
export const LEASE_MS_DEFAULT = 5000
/** Longest name of a holder of a lease, in characters. */
export const LEASE_HOLDER_LENGTH_MAX = 1000

/** Bytes of one page of a snapshot: a short step, between which commits have their turn. */
export const SNAPSHOT_PAGE_BYTES_TARGET = 64 * KIB
/** Most entries of one page of a snapshot. */
export const SNAPSHOT_PAGE_ENTRIES_MAX = 500
/** So many pages are read before they are sent together: what is sent must be durable, and a wait for that takes a sync. */
export const SNAPSHOT_PAGES_PER_WAIT = 16
/** Longest chunk of a snapshot: the largest value with its key, beside a page that was nearly full. */
export const SNAPSHOT_CHUNK_BYTES_MAX = FRAME_PAYLOAD_BYTES_MAX + 1 * MIB
/** Most snapshots that one server sends at a time. */
export const SNAPSHOTS_RUNNING_MAX = 4
/** A receiver that takes nothing of a snapshot for so long, in milliseconds, is cut off, at the latest after twice that. */
export const SNAPSHOT_STALL_MS = 600_000
/** A copy that is being made is synced about every so many bytes. */
export const CLONE_BATCH_BYTES_TARGET = 4 * MIB
/** And at least so often while something arrives, in milliseconds: so much is lost when it is killed. */
export const CLONE_BATCH_MS_MAX = 1000
/** LevelDB write buffer and cache of a copy that is being made: nobody reads it meanwhile. */
export const CLONE_WRITE_BUFFER_BYTES = 16 * MIB
export const CLONE_CACHE_BYTES = 8 * MIB
/** So often in a row a copy is taken up again when nothing arrived, and so often when what arrived was damaged. */
export const CLONE_ATTEMPTS_MAX = 60
export const CLONE_DAMAGED_ATTEMPTS_MAX = 5
/** A new replica copies rows instead of applying the log from its beginning when that has so many bytes. */
export const CLONE_LOG_BYTES_MIN = 256 * MIB
/** So often a copy is begun anew because its server has purged the log that it still needs. */
export const CLONE_RESTARTS_MAX = 3

/** Longest frame on a session's WebSocket: the largest row fits in binary form. */
export const SESSION_FRAME_BYTES_MAX = ROW_BYTES_MAX + 1 * MIB
/** Most WebSockets of sessions on one server. */
export const SERVER_CONNECTIONS_MAX = 20_000
/** Most sessions on one server. A session begins with its first request. */
export const SERVER_SESSIONS_MAX = 50_000
/** Most transactions that sessions of one server have open. */
export const SERVER_TRANSACTIONS_MAX = 20_000
/** Most cursors that sessions of one server have open. */
export const SERVER_CURSORS_MAX = 50_000
/** Most bytes that sessions of one server hold: requests that are not answered and answers that are not sent. */
export const SERVER_HELD_BYTES_MAX = 512 * MIB
/** Most WebSockets of sessions of one catalog, when it has no limit of its own. */
export const CATALOG_CONNECTIONS_MAX = 10_000
/** Most sessions of one catalog, when it has no limit of its own. */
export const CATALOG_SESSIONS_MAX = 20_000
/** Most transactions that sessions of one catalog have open, when it has no limit of its own. */
export const CATALOG_TRANSACTIONS_MAX = 10_000
/** Most cursors that sessions of one catalog have open, when it has no limit of its own. */
export const CATALOG_CURSORS_MAX = 20_000
/** Most sessions on one WebSocket. */
export const CONNECTION_SESSIONS_MAX = 1000
/** Most requests on one WebSocket that are not answered yet. */
export const CONNECTION_REQUESTS_MAX = 1000
/** A WebSocket is not read while its requests that are not answered yet have more bytes than this. */
export const CONNECTION_REQUEST_BYTES_MAX = 32 * MIB
/** A WebSocket is not read, and its requests are not run, while its unsent answers have more bytes than this. */
export const CONNECTION_UNSENT_BYTES_MAX = 8 * MIB
/** A peer that has not read its answers for so long is cut off, in milliseconds. */
export const CONNECTION_SLOW_MS_MAX = 30_000
/** How often the peer of a session's WebSocket is asked whether it is there, in milliseconds. */
export const CONNECTION_PING_MS = 15_000
/** A session's WebSocket on which no frame arrived for so long is cut off, in milliseconds. */
export const CONNECTION_SILENCE_MS_MAX = 60_000
/** Most open cursors of one session. */
export const SESSION_CURSORS_MAX = 1000
/** A transaction whose session sends nothing for so long is rolled back, in milliseconds. */
export const TRANSACTION_IDLE_MS_MAX = 30_000
/** A session without a transaction that sends nothing for so long is forgotten, in milliseconds. */
export const SESSION_IDLE_MS_MAX = 600_000

/** Writes are refused when the file system has less than this free. */
export const DISK_FREE_BYTES_MIN = 256 * MIB
/** How often free space is looked up, in milliseconds. */
export const DISK_CHECK_MS = 1000
/** Frames whose digest chain is verified when a store is opened. */
export const OPEN_VERIFY_FRAMES_MAX = 256
/** How often a primary writes what changed tables hold into its log, in milliseconds, when nobody says; at most once a day. */
export const VERIFY_INTERVAL_MS_DEFAULT = 60_000
export const VERIFY_INTERVAL_MS_MAX = 86_400_000
/** Most tables in one verify marker; the others wait for the next. */
export const VERIFY_MARKER_TABLES_MAX = 1000
/** How long a promotion waits for an answer of another server, in milliseconds. */
export const PROMOTION_REACH_MS_MAX = 5000
/** How long a promotion waits for what the old primary has and the replica has not, in milliseconds. */
export const PROMOTION_CATCH_UP_MS_MAX = 10_000
/** Bytes per second that the scrub reads when nobody says, and at most. */
export const SCRUB_RATE_DEFAULT = 1 * MIB
export const SCRUB_RATE_MAX = 10_240 * MIB
/** The first scrub begins so long after the start of a server, the next so long after the end of one, in milliseconds. */
export const SCRUB_FIRST_MS = 3_600_000
export const SCRUB_PAUSE_MS = 86_400_000
/** A scrub that waits looks up at least so often, in milliseconds. */
export const SCRUB_SLICE_MS_MAX = 1000
/** Most flaws in the report of one pass; all are counted. */
export const VERIFY_FLAWS_MAX = 1000
/** Bytes that a repair writes in one batch. */
export const REPAIR_BATCH_BYTES = 8 * MIB
/** Most rows that may have changed between a peer and the log that it helps to mend. */
export const REPAIR_CHANGES_MAX = 1_000_000
/** Most jobs in one listing. */
export const JOBS_LISTED_MAX = 1000
/** Keys a purge job deletes in one batch. */
export const PURGE_KEYS_PER_BATCH = 2000
/** Frames that a purge of the log reads, or deletes, at once, and its pause between two deletions, in milliseconds. */
export const LOG_PURGE_PAGE_FRAMES = 500
export const LOG_PURGE_PAUSE_MS = 2
/** A purge raises the floor of the log by at most so much at once, and deletes what is below before it goes on. */
export const LOG_PURGE_STEP_BYTES = 64 * MIB
export const LOG_PURGE_STEP_TRANSACTIONS = 100_000
/** Disk space is given back when so many bytes were deleted. */
export const LOG_PURGE_COMPACT_BYTES = 64 * MIB
/** How often a server looks whether its log is to be purged, in milliseconds. */
export const LOG_PURGE_CHECK_MS = 5000
/** A log above its hard cap is purged down to this share of it, so that not every commit purges. */
export const LOG_CAP_SHARE = 0.95
/** The least hard cap of a log. */
export const LOG_BYTES_MAX_MIN = 1 * MIB
/** How long a replica that left holds the log back when nobody says, in milliseconds. */
export const FOLLOWER_HOLD_MS_DEFAULT = 24 * 3_600_000
/** How long a copy that was interrupted or has just ended holds the log back, in milliseconds. */
export const COPY_HOLD_MS = 3_600_000
/** Longest age of transactions, and longest time of a hold, that can be asked for, in milliseconds: a hundred years. */
export const RETENTION_MS_MAX = 36_525 * 24 * 3_600_000
/** Most holders of the log that are known at a time; those that are gone and count the shortest are forgotten first. */
export const LOG_HOLDERS_MAX = 1000
/** How far holders are is written at most this often, in milliseconds, when no others come or go. */
export const HOLDERS_WRITE_MS_MIN = 60_000
/** Most holders that are told to have been left behind by the hard cap; the newest stay. */
export const LEFT_BEHIND_LISTED_MAX = 20
/** Most subscriptions of a catalog, most workers that share one at a time, and longest name of either. */
export const SUBSCRIPTIONS_MAX = 1000
export const SUBSCRIPTION_WORKERS_MAX = 1000
export const SUBSCRIPTION_NAME_LENGTH_MAX = 128
/** Changes of a subscription that were read and are not acknowledged, and about how many bytes, at most. */
export const SUBSCRIPTION_WINDOW_CHANGES_MAX = 10_000
export const SUBSCRIPTION_WINDOW_BYTES_MAX = 16 * MIB
/** Pause between two acknowledgements that are written for a subscription, when nobody waits for them, in milliseconds. */
export const SUBSCRIPTION_ACK_PAUSE_MS = 100
/** So often an idle subscription looks how far it is, in milliseconds. */
export const SUBSCRIPTION_PROGRESS_MS = 1000
/** What its filter leaves out is acknowledged when it is so many transactions: an acknowledgement is one itself. */
export const SUBSCRIPTION_PROGRESS_TRANSACTIONS = 1000
/** Subscriptions that are named among those who hold the log back, and among the lost ones, at most. */
export const SUBSCRIPTIONS_LISTED_MAX = 20
/** Acknowledgements of a subscription that are looked behind for its next change, to tell how old that is. */
export const SUBSCRIPTION_LOOK_TRANSACTIONS_MAX = 100
/** Bytes of frames with which a file of a log archive is complete, when nobody says, and at least. */
export const ARCHIVE_FILE_BYTES_DEFAULT = 256 * MIB
export const ARCHIVE_FILE_BYTES_MIN = 4 * KIB
/** What an archive received is synced after so long, in milliseconds, and after so many bytes. */
export const ARCHIVE_SYNC_MS = 1000
export const ARCHIVE_SYNC_BYTES = 16 * MIB
/** LevelDB write buffer: large, so that memtable switches lie further apart than a page of a scan lives. */
export const STORE_WRITE_BUFFER_BYTES = 64 * MIB
export const STORE_CACHE_BYTES = 64 * MIB

assert(SEGMENT_BYTES_TARGET + 2 * ROW_BYTES_MAX <= FRAME_PAYLOAD_BYTES_MAX, 'a row with both images fits one frame')
assert(TRANSACTION_BYTES_MAX < COMMIT_QUEUE_BYTES_MAX, 'the queue holds the largest transaction')
assert(LINK_CHUNK_BYTES_TARGET + FRAME_PAYLOAD_BYTES_MAX < LINK_MESSAGE_BYTES_MAX, 'any frame fits a link message')
assert(FRAME_PAYLOAD_BYTES_MAX < REPLICA_BUFFER_BYTES_MAX, 'a replica can hold the largest frame')
assert(TRANSACTION_BYTES_MAX * 1.5 < REPLICA_BUFFER_BYTES_MAX, 'a replica can hold the largest transaction')
assert(
  SEGMENT_BYTES_TARGET + ANNOTATIONS_LENGTH_MAX * 4 + OUTCOME_BYTES_MAX + DEFINITION_BYTES_MAX <
    FRAME_PAYLOAD_BYTES_MAX,
  'all fits a frame',
)
assert(LINK_HEARTBEAT_MS * 3 < LINK_SILENCE_MS_MAX, 'a link survives two lost heartbeats')
assert(TRANSACTION_AGE_MS_MAX < SNAPSHOT_AGE_MS_MAX, 'a transaction ends before its snapshot is given up')
assert(LOCK_WAIT_MS_DEFAULT < TRANSACTION_AGE_MS_MAX, 'a lock wait ends before its transaction')
assert(ROW_BYTES_MAX <= TRANSACTION_BYTES_MAX, 'a transaction can hold the largest row')
assert(SCAN_RESULT_ROWS_DEFAULT <= SCAN_RESULT_ROWS_MAX, 'the default scan is allowed')
assert(SESSION_FRAME_BYTES_MAX < CONNECTION_REQUEST_BYTES_MAX, 'a WebSocket can take the largest frame')
assert(
  CONNECTION_REQUEST_BYTES_MAX + CONNECTION_UNSENT_BYTES_MAX < SERVER_HELD_BYTES_MAX,
  'one peer does not fill a server',
)
assert(CONNECTION_PING_MS * 3 < CONNECTION_SILENCE_MS_MAX, 'a WebSocket survives two lost pings')
assert(CATALOG_CHANGE_READERS_MAX < CHANGE_READERS_MAX, 'one catalog does not take all change streams of a server')
assert(LOCK_WAIT_MS_DEFAULT < TRANSACTION_IDLE_MS_MAX, 'a transaction is not idle while another waits for its lock')
assert(SNAPSHOT_PAGE_BYTES_TARGET + ROW_BYTES_MAX + KEY_BYTES_MAX < SNAPSHOT_CHUNK_BYTES_MAX, 'any row fits a chunk')

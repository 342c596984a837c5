/**
 * The set of rotating blades in the SQL of each peer: the same tables and queries as replog's, written as good users of
 * that peer write them.
 *
 *   one-shot     one call of a function (PostgreSQL) or procedure (MariaDB) on the server: one round trip, and the row lock
 *                on the counter is not held over any
 *   interactive  BEGIN, INSERT, UPDATE, COMMIT, each a round trip
 *
 * The fan row is inserted first, so that the counter is locked as late as can be.
 */
import type { PeerName } from '../peers/peer.js'
import { ITEM_ID } from './blades-set.js'

export interface PeerSet {
  readonly define: readonly string[]
  /** Parameters: item. */
  readonly fans: string
  /** Parameters: user, item; so have all that follow but `count` and `firstCount`, which have the item. */
  readonly isFan: string
  readonly execute: string
  readonly insert: string
  readonly count: string
  readonly firstCount: string
}

const FAN_OF_COLUMNS = 'user_id BIGINT NOT NULL, item_id BIGINT NOT NULL, PRIMARY KEY (user_id, item_id)'
const FAN_COUNT_COLUMNS = 'item_id BIGINT NOT NULL PRIMARY KEY, fans BIGINT NOT NULL'

const MARIADB_PROCEDURE = `CREATE PROCEDURE add_fan(the_user BIGINT, the_item BIGINT)
BEGIN
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
  START TRANSACTION;
  INSERT INTO fan_of VALUES (the_user, the_item);
  UPDATE fan_count SET fans = fans + 1 WHERE item_id = the_item;
  IF ROW_COUNT() = 0 THEN INSERT INTO fan_count VALUES (the_item, 1); END IF;
  COMMIT;
END`

const POSTGRES_FUNCTION = `CREATE FUNCTION add_fan(the_user BIGINT, the_item BIGINT) RETURNS VOID LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO fan_of VALUES (the_user, the_item);
  UPDATE fan_count SET fans = fans + 1 WHERE item_id = the_item;
  IF NOT FOUND THEN INSERT INTO fan_count VALUES (the_item, 1); END IF;
END $$`

export const PEER_SETS: Readonly<Record<PeerName, PeerSet>> = {
  mariadb: {
    define: [
      `CREATE TABLE fan_of (${FAN_OF_COLUMNS}, KEY item (item_id)) ENGINE = InnoDB`,
      `CREATE TABLE fan_count (${FAN_COUNT_COLUMNS}) ENGINE = InnoDB`,
      MARIADB_PROCEDURE,
    ],
    fans: 'SELECT fans FROM fan_count WHERE item_id = ?',
    isFan: 'SELECT 1 FROM fan_of WHERE user_id = ? AND item_id = ?',
    execute: 'CALL add_fan(?, ?)',
    insert: 'INSERT INTO fan_of VALUES (?, ?)',
    count: 'UPDATE fan_count SET fans = fans + 1 WHERE item_id = ?',
    firstCount: 'INSERT INTO fan_count VALUES (?, 1)',
  },
  postgres: {
    define: [
      `CREATE TABLE fan_of (${FAN_OF_COLUMNS})`,
      'CREATE INDEX item ON fan_of (item_id)',
      `CREATE TABLE fan_count (${FAN_COUNT_COLUMNS})`,
      POSTGRES_FUNCTION,
    ],
    fans: 'SELECT fans FROM fan_count WHERE item_id = $1',
    isFan: 'SELECT 1 FROM fan_of WHERE user_id = $1 AND item_id = $2',
    execute: 'SELECT add_fan($1, $2)',
    insert: 'INSERT INTO fan_of VALUES ($1, $2)',
    count: 'UPDATE fan_count SET fans = fans + 1 WHERE item_id = $1',
    firstCount: 'INSERT INTO fan_count VALUES ($1, 1)',
  },
}

/** Of the rows of fan_of: how many, how many of them of the item, the least and the greatest user. */
export const FAN_ROWS_SQL = `SELECT count(*), sum(CASE WHEN item_id = ${ITEM_ID} THEN 1 ELSE 0 END), min(user_id), max(user_id) FROM fan_of`
export const FANS_SQL = `SELECT fans FROM fan_count WHERE item_id = ${ITEM_ID}`

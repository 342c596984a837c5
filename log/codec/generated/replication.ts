// Generated from ../replication.proto by scripts/generate-codec.mjs; edit that, not this.
export const REPLICATION_DESCRIPTOR = {
  nested: {
    replog: {
      nested: {
        v1: {
          nested: {
            Transaction: {
              fields: {
                lsn: { type: 'uint64', id: 1 },
                epoch: { type: 'uint32', id: 2 },
                segment: { type: 'uint32', id: 3 },
                lastSegment: { type: 'bool', id: 4 },
                originServerId: { type: 'bytes', id: 5 },
                catalogId: { type: 'uint32', id: 6 },
                startTimestampUs: { type: 'sint64', id: 7 },
                commitTimestampUs: { type: 'sint64', id: 8 },
                statements: { rule: 'repeated', type: 'Statement', id: 9 },
                annotations: { keyType: 'string', type: 'string', id: 10 },
                idempotencyKey: { type: 'string', id: 11 },
                outcome: { type: 'bytes', id: 12 },
              },
            },
            Statement: {
              oneofs: {
                kind: {
                  oneof: [
                    'insert',
                    'update',
                    'delete',
                    'rewrite',
                    'createTable',
                    'dropTable',
                    'alterTable',
                    'truncateTable',
                    'renameTables',
                    'createIndex',
                    'dropIndex',
                    'createSchema',
                    'alterSchema',
                    'dropSchema',
                    'createCatalog',
                    'dropCatalog',
                    'alterCatalog',
                    'newEpoch',
                    'verifyMarker',
                  ],
                },
              },
              fields: {
                insert: { type: 'RowChanges', id: 1 },
                update: { type: 'RowChanges', id: 2 },
                delete: { type: 'RowChanges', id: 3 },
                rewrite: { type: 'RowChanges', id: 4 },
                createTable: { type: 'CreateTable', id: 10 },
                dropTable: { type: 'DropTable', id: 11 },
                alterTable: { type: 'AlterTable', id: 12 },
                truncateTable: { type: 'TruncateTable', id: 13 },
                renameTables: { type: 'RenameTables', id: 14 },
                createIndex: { type: 'CreateIndex', id: 15 },
                dropIndex: { type: 'DropIndex', id: 16 },
                createSchema: { type: 'CreateSchema', id: 20 },
                alterSchema: { type: 'AlterSchema', id: 21 },
                dropSchema: { type: 'DropSchema', id: 22 },
                createCatalog: { type: 'CreateCatalog', id: 30 },
                dropCatalog: { type: 'DropCatalog', id: 31 },
                alterCatalog: { type: 'AlterCatalog', id: 32 },
                newEpoch: { type: 'NewEpoch', id: 40 },
                verifyMarker: { type: 'VerifyMarker', id: 41 },
              },
            },
            RowChanges: {
              fields: {
                tableId: { type: 'uint32', id: 1 },
                tableVersion: { type: 'uint32', id: 2 },
                rows: { rule: 'repeated', type: 'RowChange', id: 3 },
              },
            },
            RowChange: {
              fields: {
                key: { type: 'bytes', id: 1 },
                before: { type: 'bytes', id: 2 },
                after: { type: 'bytes', id: 3 },
              },
            },
            CreateTable: { fields: { after: { type: 'TableMessage', id: 1 } } },
            DropTable: { fields: { before: { type: 'TableMessage', id: 1 } } },
            AlterTable: {
              fields: {
                before: { type: 'TableMessage', id: 1 },
                after: { type: 'TableMessage', id: 2 },
                autoIncrement: { type: 'sint64', id: 3 },
              },
            },
            TruncateTable: {
              fields: {
                before: { type: 'TableMessage', id: 1 },
                after: { type: 'TableMessage', id: 2 },
                autoIncrement: { type: 'sint64', id: 3 },
              },
            },
            RenameTables: { fields: { tables: { rule: 'repeated', type: 'TableChange', id: 1 } } },
            TableChange: {
              fields: { before: { type: 'TableMessage', id: 1 }, after: { type: 'TableMessage', id: 2 } },
            },
            CreateIndex: {
              fields: { before: { type: 'TableMessage', id: 1 }, after: { type: 'TableMessage', id: 2 } },
            },
            DropIndex: {
              fields: {
                before: { type: 'TableMessage', id: 1 },
                after: { type: 'TableMessage', id: 2 },
                reason: { type: 'string', id: 3 },
              },
            },
            CreateSchema: { fields: { after: { type: 'SchemaMessage', id: 1 } } },
            AlterSchema: {
              fields: { before: { type: 'SchemaMessage', id: 1 }, after: { type: 'SchemaMessage', id: 2 } },
            },
            DropSchema: { fields: { before: { type: 'SchemaMessage', id: 1 } } },
            CreateCatalog: { fields: { after: { type: 'CatalogMessage', id: 1 } } },
            DropCatalog: { fields: { before: { type: 'CatalogMessage', id: 1 } } },
            AlterCatalog: {
              fields: { before: { type: 'CatalogMessage', id: 1 }, after: { type: 'CatalogMessage', id: 2 } },
            },
            NewEpoch: { fields: { epoch: { type: 'uint32', id: 1 }, serverId: { type: 'bytes', id: 2 } } },
            VerifyMarker: { fields: { counts: { rule: 'repeated', type: 'TableCount', id: 1 } } },
            TableCount: {
              fields: {
                catalogId: { type: 'uint32', id: 1 },
                storageId: { type: 'uint32', id: 2 },
                tableId: { type: 'uint32', id: 3 },
                rows: { type: 'uint64', id: 4 },
                digest: { type: 'bytes', id: 5 },
              },
            },
            CatalogMessage: {
              fields: {
                id: { type: 'uint32', id: 1 },
                name: { type: 'string', id: 2 },
                createdUs: { type: 'sint64', id: 3 },
                comment: { type: 'string', id: 4 },
                options: { keyType: 'string', type: 'string', id: 5 },
              },
            },
            SchemaMessage: {
              fields: {
                id: { type: 'uint32', id: 1 },
                catalogId: { type: 'uint32', id: 2 },
                name: { type: 'string', id: 3 },
                createdUs: { type: 'sint64', id: 4 },
                comment: { type: 'string', id: 5 },
                options: { keyType: 'string', type: 'string', id: 6 },
              },
            },
            TableMessage: {
              fields: {
                id: { type: 'uint32', id: 1 },
                version: { type: 'uint32', id: 2 },
                catalogId: { type: 'uint32', id: 3 },
                schemaId: { type: 'uint32', id: 4 },
                name: { type: 'string', id: 5 },
                columns: { rule: 'repeated', type: 'Column', id: 6 },
                primaryKey: { rule: 'repeated', type: 'KeyPart', id: 7 },
                indexes: { rule: 'repeated', type: 'Index', id: 8 },
                nextColumnId: { type: 'uint32', id: 9 },
                nextIndexId: { type: 'uint32', id: 10 },
                comment: { type: 'string', id: 11 },
                createdUs: { type: 'sint64', id: 12 },
                changedUs: { type: 'sint64', id: 13 },
                storageId: { type: 'uint32', id: 14 },
                foreignKeys: { rule: 'repeated', type: 'ForeignKey', id: 15 },
                checks: { rule: 'repeated', type: 'Check', id: 16 },
                nextConstraintId: { type: 'uint32', id: 17 },
                referencedBy: { rule: 'repeated', type: 'Reference', id: 18 },
                options: { keyType: 'string', type: 'string', id: 19 },
                rowImage: { type: 'RowImage', id: 20 },
              },
            },
            RowImage: { values: { FULL: 0, MINIMAL: 1 } },
            ForeignKey: {
              fields: {
                id: { type: 'uint32', id: 1 },
                name: { type: 'string', id: 2 },
                columnIds: { rule: 'repeated', type: 'uint32', id: 3 },
                targetTableId: { type: 'uint32', id: 4 },
                targetColumnIds: { rule: 'repeated', type: 'uint32', id: 5 },
                onDelete: { type: 'Action', id: 6 },
                onUpdate: { type: 'Action', id: 7 },
              },
              nested: { Action: { values: { RESTRICT: 0, CASCADE: 1, SET_NULL: 2 } } },
            },
            Reference: { fields: { tableId: { type: 'uint32', id: 1 }, foreignKeyId: { type: 'uint32', id: 2 } } },
            Check: {
              fields: {
                id: { type: 'uint32', id: 1 },
                name: { type: 'string', id: 2 },
                expression: { type: 'Expression', id: 3 },
              },
            },
            Expression: {
              oneofs: { kind: { oneof: ['and', 'or', 'not', 'comparison', 'in', 'between', 'like', 'isNull'] } },
              fields: {
                and: { type: 'Junction', id: 1 },
                or: { type: 'Junction', id: 2 },
                not: { type: 'Expression', id: 3 },
                comparison: { type: 'Comparison', id: 4 },
                in: { type: 'In', id: 5 },
                between: { type: 'Between', id: 6 },
                like: { type: 'Like', id: 7 },
                isNull: { type: 'Operand', id: 8 },
              },
              nested: {
                Junction: { fields: { expressions: { rule: 'repeated', type: 'Expression', id: 1 } } },
                Comparison: {
                  fields: {
                    left: { type: 'Operand', id: 1 },
                    operator: { type: 'Operator', id: 2 },
                    right: { type: 'Operand', id: 3 },
                  },
                  nested: {
                    Operator: { values: { OPERATOR_UNSPECIFIED: 0, EQ: 1, NE: 2, LT: 3, LE: 4, GT: 5, GE: 6 } },
                  },
                },
                In: {
                  fields: { operand: { type: 'Operand', id: 1 }, values: { rule: 'repeated', type: 'string', id: 2 } },
                },
                Between: {
                  fields: {
                    operand: { type: 'Operand', id: 1 },
                    low: { type: 'Operand', id: 2 },
                    high: { type: 'Operand', id: 3 },
                  },
                },
                Like: { fields: { operand: { type: 'Operand', id: 1 }, pattern: { type: 'string', id: 2 } } },
              },
            },
            Operand: {
              oneofs: { kind: { oneof: ['columnId', 'literal'] } },
              fields: { columnId: { type: 'uint32', id: 1 }, literal: { type: 'string', id: 2 } },
            },
            Column: {
              oneofs: { _missingValue: { oneof: ['missingValue'] } },
              fields: {
                id: { type: 'uint32', id: 1 },
                name: { type: 'string', id: 2 },
                type: { type: 'ColumnType', id: 3 },
                notNull: { type: 'bool', id: 4 },
                default: { type: 'ColumnDefault', id: 5 },
                autoIncrement: { type: 'bool', id: 6 },
                addedInVersion: { type: 'uint32', id: 7 },
                missingValue: { type: 'string', id: 8, options: { proto3_optional: true } },
                comment: { type: 'string', id: 9 },
              },
            },
            ColumnType: {
              fields: {
                kind: { type: 'Kind', id: 1 },
                length: { type: 'uint32', id: 2 },
                precision: { type: 'uint32', id: 3 },
                scale: { type: 'uint32', id: 4 },
                labels: { rule: 'repeated', type: 'string', id: 5 },
              },
              nested: {
                Kind: {
                  values: {
                    KIND_UNSPECIFIED: 0,
                    BOOLEAN: 1,
                    INTEGER: 2,
                    BIGINT: 3,
                    DOUBLE: 4,
                    DECIMAL: 5,
                    VARCHAR: 6,
                    TEXT: 7,
                    BLOB: 8,
                    DATE: 9,
                    TIME: 10,
                    TIMESTAMP: 11,
                    UUID: 12,
                    ENUM: 13,
                    JSON: 14,
                  },
                },
              },
            },
            ColumnDefault: {
              oneofs: { kind: { oneof: ['literal', 'function'] } },
              fields: { literal: { type: 'string', id: 1 }, function: { type: 'Function', id: 2 } },
              nested: { Function: { values: { FUNCTION_UNSPECIFIED: 0, NOW: 1, UUID: 2 } } },
            },
            KeyPart: { fields: { columnId: { type: 'uint32', id: 1 }, descending: { type: 'bool', id: 2 } } },
            Index: {
              fields: {
                id: { type: 'uint32', id: 1 },
                name: { type: 'string', id: 2 },
                unique: { type: 'bool', id: 3 },
                parts: { rule: 'repeated', type: 'KeyPart', id: 4 },
                building: { type: 'bool', id: 5 },
                validating: { type: 'bool', id: 6 },
              },
            },
          },
        },
      },
    },
  },
}

// Package linkscmd is the server's command for its links: `webhookserver links
// list|export|import|audit`. It runs in the server's pod, beside the server and with
// the same settings, so that whoever may `kubectl exec` there may use it and nobody
// else. It serves backup, the move between SQLite and PostgreSQL, the take-over of
// links that existed before, and the question what became of one.
//
// Links are NDJSON, a [Record] a line. `list` shows what tells links apart and masks
// every id; `export` writes all that `import` needs; `audit` tells what happened, an
// [AuditRow] a line, with ids as the store has them: hashed.
package linkscmd

package store

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"channellink.dev/operator/webhookserver/link"
)

// What a transaction returns for itself.
var (
	// errNoEffect rolls back what turned out to have no effect. It is no error for the caller.
	errNoEffect = errors.New("no effect")
	// errMoved: a row has changed since the transaction read it; all of it begins anew.
	errMoved = errors.New("row changed by another transaction")
)

// txTries bounds how often a transaction begins anew. What moves a row ends a link or a step, so that the second try
// already finds another state; deadlocks end one of two.
const txTries = 4

// answers are the errors of package link that are an answer and no failure of the database.
var answers = []error{
	link.ErrNotFound, link.ErrSealed, link.ErrAlreadyUsed, link.ErrExpired,
	link.ErrTokenSpent, link.ErrTooManyLinks, link.ErrTooManySessions,
	link.ErrLeased, link.ErrLeaseLost,
}

// transact runs fn in one transaction, within callTimeout. Whatever fn returns but nil rolls it back.
func (s *Store) transact(ctx context.Context, op string, fn func(context.Context, *sql.Tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var err error
	for range txTries {
		err = s.once(ctx, op, fn)
		if !s.again(err) {
			return err
		}
	}
	if errors.Is(err, errMoved) {
		return &Error{Op: op, Reason: Busy}
	}
	return err
}

func (s *Store) once(ctx context.Context, op string, fn func(context.Context, *sql.Tx) error) error {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return s.fail(op, err)
	}
	committed := false
	defer func() { s.told.ended(ctx, tx, committed) }()
	if err := fn(ctx, tx); err != nil {
		_ = tx.Rollback() // the error that led here says more; a lost connection rolls back by itself
		if errors.Is(err, errNoEffect) {
			return nil
		}
		if errors.Is(err, errMoved) || isAnswer(err) {
			return err
		}
		return s.fail(op, timedOut(ctx, err))
	}
	err = tx.Commit()
	committed = err == nil
	return s.fail(op, timedOut(ctx, err))
}

// timedOut is why a transaction is no more that database/sql has rolled back behind our back: its time was over.
func timedOut(ctx context.Context, err error) error {
	if errors.Is(err, sql.ErrTxDone) && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// again tells whether a transaction ended for the sake of another one only.
func (s *Store) again(err error) bool {
	if errors.Is(err, errMoved) {
		return true
	}
	e, ok := errors.AsType[*Error](err)
	return ok && strings.HasPrefix(e.Code, "40") && len(e.Code) == 5 // SQLSTATE class: transaction rollback
}

func isAnswer(err error) bool {
	for _, answer := range answers {
		if errors.Is(err, answer) {
			return true
		}
	}
	return false
}

// execOne runs a statement that must touch one row, or else [errMoved].
func execOne(ctx context.Context, tx *sql.Tx, statement string, args ...any) error {
	n, err := affected(tx.ExecContext(ctx, statement, args...))
	if err == nil && n != 1 {
		return errMoved
	}
	return err
}

// affected is the number of rows that a statement touched.
func affected(result sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

package linkscmd

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"channellink.dev/operator/webhookserver/link"
)

const (
	// importBatch is how many links are stored at once. With SQLite the server cannot write meanwhile.
	importBatch = 20
	// importTries bounds how often a batch is stored that the store had no time for; the server goes first.
	importTries = 10
	// maxLine bounds a line, in bytes; the longest valid record is some 6 KiB.
	maxLine = 64 << 10
)

// Summary is what an import prints.
type Summary struct {
	Read   int `json:"read"`
	Stored int `json:"stored"`
}

// importLinks stores lines batch by batch. A line that it cannot take ends it; the lines before that are stored by then.
func importLinks(ctx context.Context, s link.Store, channels []link.ChannelID, env Env) error {
	var sum Summary
	var batch []link.Link
	flush := func() error {
		for try := 1; ; try++ {
			began := env.Now()
			stored, err := s.Import(ctx, batch, began)
			sum.Stored += stored
			if err != nil && (try == importTries || !errors.Is(err, link.ErrUnavailable)) {
				return fmt.Errorf("links import: near line %d, %d stored: %w", sum.Read, sum.Stored, err)
			}
			if restErr := rest(ctx, env.Now().Sub(began)); restErr != nil {
				return restErr
			}
			if err == nil {
				batch = batch[:0]
				return nil
			}
		}
	}
	lines := bufio.NewScanner(env.In)
	lines.Buffer(nil, maxLine)
	for number := 1; lines.Scan(); number++ {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		l, err := parse(line, channels, env.Now())
		if err != nil {
			stored := flush()
			return errors.Join(fmt.Errorf("links import: line %d, %d stored: %w", number, sum.Stored, err), stored)
		}
		sum.Read++
		if batch = append(batch, l); len(batch) == importBatch {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("links import: after %d links, %d stored: %w", sum.Read, sum.Stored, err)
	}
	if err := flush(); err != nil {
		return err
	}
	return json.NewEncoder(env.Out).Encode(sum)
}

// rest leaves the store to its server for as long as the import has had it. SQLite's lock is not fair: who asks again at
// once gets it again, while the server waits in steps of up to 100 ms and gives up after busy_timeout.
func rest(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

package secretfile

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// State says what a file looks like now.
type State string

// The states of a file. In the last three, the value that was there before, if
// any, is still served.
const (
	Missing    State = "Missing"    // no file, and there never was a value
	Present    State = "Present"    // a file with a value
	Empty      State = "Empty"      // a file without a value
	Vanished   State = "Vanished"   // no file now, but there was a value
	Unreadable State = "Unreadable" // larger than MaxSize, not a regular file, or no permission
)

const (
	// MaxSize bounds a file, in bytes. CA bundles are the largest that are read.
	MaxSize = 64 << 10
	// MaxValues bounds [Snapshot.Values]. A receiver tries each value on each
	// request, forged ones too; a rotation needs two.
	MaxValues = 8
)

// Snapshot is one reading of a file. It never changes.
type Snapshot struct {
	state  State
	served *content // nil if there never was a value
}

type content struct {
	raw    *[]byte // a pointer inside a pointer: fmt prints an address, whatever the verb
	values []Secret
}

// State returns the state of the file at the time of the snapshot.
func (s Snapshot) State() State { return s.state }

// Usable reports whether there is a value to serve, be it that of a file that has
// vanished since.
func (s Snapshot) Usable() bool { return s.served != nil }

// Raw returns the bytes of the file, for JSON documents and PEM bundles. The
// caller must not change them.
func (s Snapshot) Raw() []byte {
	if s.served == nil {
		return nil
	}
	return *s.served.raw
}

// Values returns the lines of the file, newest first, without line ends and blank
// lines; at most [MaxValues]. The caller must not change them.
func (s Snapshot) Values() []Secret {
	if s.served == nil {
		return nil
	}
	return s.served.values
}

// Newest returns the first value, the one to send.
func (s Snapshot) Newest() (Secret, bool) {
	if s.served == nil {
		return Secret{}, false
	}
	return s.served.values[0], true
}

// next returns the snapshot that follows s when reading the file gave raw and err.
func (s Snapshot) next(raw []byte, err error) Snapshot {
	held := s
	switch {
	case errors.Is(err, fs.ErrNotExist) && s.Usable():
		held.state = Vanished
	case errors.Is(err, fs.ErrNotExist):
		held.state = Missing
	case err != nil:
		held.state = Unreadable
	case len(bytes.TrimSpace(raw)) == 0:
		held.state = Empty
	default:
		return Snapshot{state: Present, served: &content{raw: &raw, values: parseValues(raw)}}
	}
	return held
}

func (s Snapshot) equal(other Snapshot) bool {
	return s.state == other.state && bytes.Equal(s.Raw(), other.Raw())
}

// parseValues splits lines ended by LF or CRLF. Nothing else is trimmed: a space
// can be part of a secret.
func parseValues(raw []byte) []Secret {
	var values []Secret
	for line := range bytes.SplitSeq(raw, []byte("\n")) {
		line = bytes.TrimSuffix(line, []byte("\r"))
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		if values = append(values, NewSecret(string(line))); len(values) == MaxValues {
			break
		}
	}
	return values
}

var (
	errNotRegular = errors.New("not a regular file")
	errTooLarge   = errors.New("larger than 64 KiB")
)

// read returns the content of a regular file of at most MaxSize bytes.
func read(path string) ([]byte, error) {
	// Opening a named pipe would otherwise wait for a writer.
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errNotRegular
	}
	raw, err := io.ReadAll(io.LimitReader(file, MaxSize+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > MaxSize {
		return nil, errTooLarge
	}
	return raw, nil
}

package secretfile

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fsnotify/fsnotify"
)

// DefaultPoll is how often files are read even if nothing was told: network and
// FUSE volumes send no events, and the kernel's queue can overflow.
const DefaultPoll = time.Minute

// Options are the parameters of a [Watcher]. The zero value works.
type Options struct {
	Poll time.Duration // 0 means DefaultPoll
	Log  *slog.Logger  // nil means none; paths and states are logged, never contents

	pollOnly bool // no kernel events, as where inotify has run out of instances
}

// Watcher follows files. It is safe for concurrent use.
type Watcher struct {
	poll     time.Duration
	log      *slog.Logger
	pollOnly bool
	added    chan struct{} // a file was added: its directory needs a watch

	mu    sync.Mutex
	files map[string]*File
}

// File is one followed file. It is safe for concurrent use.
type File struct {
	path    string
	current atomic.Pointer[reading]
}

// reading is a snapshot and the channel that is closed when the next one is there.
type reading struct {
	Snapshot
	replaced chan struct{}
}

// NewWatcher returns a watcher of no file.
func NewWatcher(o Options) *Watcher {
	w := &Watcher{
		poll:     o.Poll,
		log:      o.Log,
		pollOnly: o.pollOnly,
		added:    make(chan struct{}, 1),
		files:    map[string]*File{},
	}
	if w.poll == 0 {
		w.poll = DefaultPoll
	}
	if w.log == nil {
		w.log = slog.New(slog.DiscardHandler)
	}
	return w
}

// File returns the file at path, read now and followed while [Watcher.Run] runs.
// The same path gives the same File. Neither the file nor its directory need be
// there yet.
func (w *Watcher) File(path string) *File {
	path = filepath.Clean(path)
	w.mu.Lock()
	defer w.mu.Unlock()
	if file, ok := w.files[path]; ok {
		return file
	}
	file := &File{path: path}
	first := Snapshot{}.next(read(path))
	file.current.Store(&reading{Snapshot: first, replaced: make(chan struct{})})
	w.files[path] = file
	select {
	case w.added <- struct{}{}:
	default: // Run has not looked since the last one
	}
	return file
}

// Run follows the files until ctx is done.
func (w *Watcher) Run(ctx context.Context) {
	var events <-chan fsnotify.Event
	var failures <-chan error
	watch := func(string) {}
	if kernel, err := w.notifier(); err != nil {
		w.log.WarnContext(ctx, "no file events, polling only", "error", err, "poll", w.poll)
	} else if kernel != nil {
		defer func() { _ = kernel.Close() }()
		events, failures = kernel.Events, kernel.Errors
		// A directory that is not there yet is tried again at the next poll.
		watch = func(dir string) { _ = kernel.Add(dir) }
	}
	ticker := time.NewTicker(w.poll)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case event := <-events:
			w.refresh(ctx, filepath.Dir(event.Name))
		case <-failures: // an overflow, most likely: events are lost
			w.refreshAll(ctx, watch)
		case <-w.added:
			w.refreshAll(ctx, watch)
		case <-ticker.C:
			w.refreshAll(ctx, watch)
		}
	}
}

func (w *Watcher) notifier() (*fsnotify.Watcher, error) {
	if w.pollOnly {
		return nil, nil
	}
	return fsnotify.NewWatcher()
}

// refreshAll watches every directory and reads every file. The watch comes first,
// so that no change falls between the two. Watching a directory twice is nothing;
// one that was removed and made again needs it.
func (w *Watcher) refreshAll(ctx context.Context, watch func(dir string)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for path := range w.files {
		watch(filepath.Dir(path))
	}
	for _, file := range w.files {
		w.reload(ctx, file)
	}
}

func (w *Watcher) refresh(ctx context.Context, dir string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for path, file := range w.files {
		if filepath.Dir(path) == dir {
			w.reload(ctx, file)
		}
	}
}

// reload needs w.mu, which makes it the only writer of file.
func (w *Watcher) reload(ctx context.Context, file *File) {
	old := file.current.Load()
	fresh := old.next(read(file.path))
	if fresh.equal(old.Snapshot) {
		return
	}
	file.current.Store(&reading{Snapshot: fresh, replaced: make(chan struct{})})
	close(old.replaced)
	w.log.InfoContext(ctx, "file changed", "path", file.path, "state", fresh.state)
}

// Path returns where the file is.
func (f *File) Path() string { return f.path }

// Load returns the newest snapshot. It costs one atomic read.
func (f *File) Load() Snapshot { return f.current.Load().Snapshot }

// Watch returns the newest snapshot and a channel that is closed once another one
// has taken its place.
func (f *File) Watch() (Snapshot, <-chan struct{}) {
	r := f.current.Load()
	return r.Snapshot, r.replaced
}

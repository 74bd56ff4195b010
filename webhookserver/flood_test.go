package webhookserver_test

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"channellink.dev/operator/webhookserver/config"
	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/store"
)

// A stranger's logins, as many as are kept and each as large as one can be, take less than half of the volume that a channel has
// by default.
func TestFloodFitsTheVolume(t *testing.T) {
	const volume, logins = 1 << 30, 1000
	var settings config.Settings
	w := readyToLogIn(t, behindBotBonnie("http://localhost:1"), func(_ *world, s *config.Settings) { settings = *s })
	begin := func(carry int) int {
		query := url.Values{
			"pageId": {settings.Channels[0].PageID}, "userId": {strings.Repeat("U", 64)}, "linkToken": {strings.Repeat("t", 512)},
			"carry": {strings.Repeat("\"", carry)}, // what many encodings make longer
		}
		return w.visit(t, http.MethodGet, "/hr/authorize?"+query.Encode(), map[string]string{}, nil).Code
	}
	longest := sort.Search(8<<10, func(carry int) bool { return begin(carry+1) != http.StatusFound })
	if longest < 1000 {
		t.Fatalf("the longest carry has %d bytes: real ones would not be taken", longest)
	}
	if code := begin(longest + 1); code != http.StatusBadRequest {
		t.Errorf("a longer one got %d, want %d", code, http.StatusBadRequest)
	}
	for range logins {
		if code := begin(longest); code != http.StatusFound {
			t.Fatal(code)
		}
	}
	w.stop()
	if err := <-w.ended; err != nil {
		t.Fatal(err)
	}
	w.ended <- nil // for the cleanup
	file, err := os.Stat(filepath.Join(settings.Store.SQLite.Dir, store.DatabaseFile))
	if err != nil {
		t.Fatal(err)
	}
	each := file.Size() / logins // with what an empty database has
	t.Logf("%d bytes for each login with a carry of %d", each, longest)
	if all := each * link.MaxSessions; all > volume/2 {
		t.Errorf("%d logins of %d bytes take %d, want at most half of %d", link.MaxSessions, each, all, volume)
	}
}

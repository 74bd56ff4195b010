// Package browser tests logins where they happen: in Chromium, with the real server program on both stores, a real OpenID
// provider (dex) and the chat simulator. It also takes the screenshots of every page.
//
//	go test -tags browser ./test/browser
//	go test -tags browser ./test/browser -run Screenshots
//
// It needs Debian's packages chromium, postgresql, fonts-noto-cjk and fonts-thai-tlwg, and dex in .cluster/bin.
package browser

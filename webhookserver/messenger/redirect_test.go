package messenger_test

import (
	"net/url"
	"strings"
	"testing"

	"channellink.dev/operator/webhookserver/messenger"
)

const linkingPath = "/messenger_platform/account_linking"

// escapes are ways by which redirect checks have been passed elsewhere. HOST stands for one that is allowed.
var escapes = []string{
	// other schemes
	"http://HOST" + linkingPath, "HTTPS://HOST" + linkingPath, "javascript:alert(1)", "javascript://HOST" + linkingPath + "%0aalert(1)",
	"data:text/html,x", "intent://HOST" + linkingPath, "fb-messenger://HOST" + linkingPath, "ftp://HOST" + linkingPath, "blob:https://HOST" + linkingPath,
	"//HOST" + linkingPath, "///HOST" + linkingPath, "https:HOST" + linkingPath, "https:/HOST" + linkingPath, "https:///HOST" + linkingPath,
	linkingPath, "https:" + linkingPath, "", " ", "about:blank", "view-source:https://HOST" + linkingPath,
	// other hosts
	"https://evil.example" + linkingPath, "https://HOST.evil.example" + linkingPath, "https://evilHOST" + linkingPath, "https://evil.example/HOST" + linkingPath,
	"https://HOST@evil.example" + linkingPath, "https://evil.example@HOST" + linkingPath, "https://HOST:x@evil.example" + linkingPath, "https://HOST%40evil.example" + linkingPath,
	"https://evil.example\\@HOST" + linkingPath, "https://evil.example\\.HOST" + linkingPath, "https://evil.example%5c@HOST" + linkingPath,
	"https://evil.example#@HOST" + linkingPath, "https://evil.example?@HOST" + linkingPath, "https://evil.example;HOST" + linkingPath,
	"https://evil.example%23.HOST" + linkingPath, "https://evil.example%2f.HOST" + linkingPath, "https://evil.example%00.HOST" + linkingPath,
	"https://HOST." + linkingPath, "https://HOST:443" + linkingPath, "https://HOST:" + linkingPath, "https://HOST:80" + linkingPath, "https://HOST:0x1bb" + linkingPath,
	"https://WWW.FACEBOOK.COM" + linkingPath, "https://www.facebook.com%2eevil.example" + linkingPath, "https://www%2efacebook.com" + linkingPath,
	"https://l.facebook.com" + linkingPath, "https://apps.facebook.com" + linkingPath, "https://xn--80aaa.example" + linkingPath,
	"https://www.faceb\u043eok.com" + linkingPath, "https://\uff57\uff57\uff57.facebook.com" + linkingPath, "https://www\u3002facebook\u3002com" + linkingPath,
	"https://[::1]" + linkingPath, "https://127.0.0.1" + linkingPath, "https://2130706433" + linkingPath, "https://[HOST]" + linkingPath,
	// other paths
	"https://HOST", "https://HOST/", "https://HOST/l.php?u=https://evil.example", "https://HOST/messenger_platform", "https://HOST" + linkingPath + "/x",
	"https://HOST" + linkingPath + "//", "https://HOST" + linkingPath + "/..", "https://HOST" + linkingPath + "/../../l.php", "https://HOST" + linkingPath + "/.",
	"https://HOST/l.php/..%2f" + linkingPath, "https://HOST" + linkingPath + "%2f..%2f..%2fl.php", "https://HOST" + linkingPath + "%2f", "https://HOST" + linkingPath + ";x",
	"https://HOST/./messenger_platform/account_linking", "https://HOST//messenger_platform/account_linking", "https://HOST/messenger_platform//account_linking",
	"https://HOST/messenger%5fplatform/account_linking", "https://HOST/Messenger_Platform/Account_Linking", "https://HOST" + linkingPath + "%00", "https://HOST" + linkingPath + "\\..\\l.php",
	"https://HOST/x/../messenger_platform/account_linking", "https://HOST/%2e%2e" + linkingPath, "https://HOST" + linkingPath + "x",
	// what parsers drop or read differently
	"\thttps://HOST" + linkingPath, " https://HOST" + linkingPath, "https://HOST" + linkingPath + " ", "ht\ntps://HOST" + linkingPath, "https://HO\tST" + linkingPath,
	"https:\\\\HOST" + linkingPath, "https:/\\HOST" + linkingPath, "https://HOST\\" + linkingPath, "https://HOST\x00" + linkingPath, "https://HOST\r\nX: y" + linkingPath,
	"\ufeffhttps://HOST" + linkingPath, "https://HOST" + linkingPath + "\u2028", "https://HOST" + linkingPath + "%", "https://HOST" + linkingPath + "?a=%zz", "https://HOST" + linkingPath + "?a;b",
	"https://HOST" + linkingPath + "#", "https://HOST" + linkingPath + "#x", "https://HOST" + linkingPath + "?x#y", "https://HOST" + linkingPath + "?x=<script>", "https://HOST" + linkingPath + "?x=\"",
	// parameters that are ours to add, or another login's
	"https://HOST" + linkingPath + "?authorization_code=x", "https://HOST" + linkingPath + "?a=b&authorization_code=", "https://HOST" + linkingPath + "?Authorization_Code=x",
	"https://HOST" + linkingPath + "?%61uthorization_code=x", "https://HOST" + linkingPath + "?account_linking_token=other", "https://HOST" + linkingPath + "?account_linking_token=",
	"https://HOST" + linkingPath + "?account_linking_token=" + token + "&account_linking_token=other", "https://HOST" + linkingPath + "?Account_Linking_Token=" + token,
}

// C14: none of them passes, whichever of the allowed hosts it uses.
func TestRedirectEscapes(t *testing.T) {
	for _, host := range redirects.Hosts {
		for _, allowLocal := range []bool{false, true} {
			if allowLocal && host == "sim.localhost" {
				continue // http and ports are allowed there, below
			}
			r := messenger.Redirects{Hosts: redirects.Hosts, AllowLocal: allowLocal}
			for _, escape := range escapes {
				if uri := strings.ReplaceAll(escape, "HOST", host); r.Check(uri, token) == nil {
					t.Errorf("%q passed", uri)
				}
			}
			if err := r.Check("https://"+host+linkingPath, token); err != nil {
				t.Errorf("%s without any trick: %v", host, err)
			}
		}
	}
}

// C52: http and ports are for local names alone, with the operator's flag alone, and not for local names that nobody listed.
func TestLocalRedirects(t *testing.T) {
	for _, c := range []struct {
		uri           string
		with, without bool
	}{
		{"http://sim.localhost:8088" + linkingPath, true, false},
		{"http://sim.localhost" + linkingPath, true, false},
		{"https://sim.localhost:8443" + linkingPath, true, false},
		{"https://sim.localhost" + linkingPath, true, true},
		{"http://other.localhost:8088" + linkingPath, false, false},
		{"http://localhost:8088" + linkingPath, false, false},
		{"http://www.facebook.com" + linkingPath, false, false},
		{"https://www.facebook.com:8443" + linkingPath, false, false},
		{"http://sim.localhost.evil.example" + linkingPath, false, false},
		{"http://x@sim.localhost" + linkingPath, false, false},
		{"ftp://sim.localhost" + linkingPath, false, false},
	} {
		for allowLocal, want := range map[bool]bool{true: c.with, false: c.without} {
			r := messenger.Redirects{Hosts: redirects.Hosts, AllowLocal: allowLocal}
			if err := r.Check(c.uri, token); (err == nil) != want {
				t.Errorf("%s, allowLocal %t: %v", c.uri, allowLocal, err)
			}
		}
	}
}

// FuzzRedirect: what passes leads to an allowed host and the one path, by a reading of its own: the text alone, split where
// RFC 3986 and browsers agree. C14
func FuzzRedirect(f *testing.F) {
	for _, escape := range escapes {
		f.Add(strings.ReplaceAll(escape, "HOST", "www.facebook.com"))
	}
	f.Add("https://www.messenger.com" + linkingPath + "/?account_linking_token=" + token)
	f.Fuzz(func(t *testing.T, uri string) {
		if redirects.Check(uri, token) != nil {
			return
		}
		rest, ok := strings.CutPrefix(uri, "https://")
		if !ok {
			t.Fatalf("%q: not https", uri)
		}
		location, _, _ := strings.Cut(rest, "?")
		host, path, _ := strings.Cut(location, "/")
		allowed := false
		for _, h := range redirects.Hosts {
			allowed = allowed || h == host
		}
		if !allowed || strings.TrimSuffix("/"+path, "/") != linkingPath {
			t.Fatalf("%q: leads to %q, %q", uri, host, path)
		}
		e, err := messenger.Enter(query("account_linking_token", token, "redirect_uri", uri), redirects)
		if err != nil {
			t.Fatal(err)
		}
		back, err := messenger.Return(e, code, redirects)
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(back)
		if err != nil || len(u.Query()["authorization_code"]) != 1 || u.Host != host {
			t.Fatalf("%q led to %q, %v", uri, back, err)
		}
	})
}
